#pragma once

/// The style sheet of a report.
namespace fraqat::run {

extern const char* const report_style;

}  // namespace fraqat::run
