#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace fraqat::tools {

/// Prints what a finished run has come to: the networks trained, then bits,
/// bytes and mismatches of the learned one.  `result` is what run.json holds;
/// what is missing there is a dash.
void print_summary(const nlohmann::ordered_json& result, const std::filesystem::path& folder);

}  // namespace fraqat::tools
