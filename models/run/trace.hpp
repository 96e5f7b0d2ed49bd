#pragma once

#include <filesystem>
#include <string>

#include "core/watch.hpp"

namespace fraqat::run {

/// Appends a trace as lines of CSV to `path`, with a header where the file is new:
/// phase, epoch, layer, op, what, shape, numbers, bad, low, high, mean.
void append_trace(const std::filesystem::path& path, const std::string& phase, int epoch,
                  const Trace& trace);

}  // namespace fraqat::run
