#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace fraqat::run {

/// One HTML page about the runs in these folders, complete in itself: no
/// script, no font, no network.  Reads run.json, metrics.jsonl and recipe.toml;
/// a run without run.json has not finished, and its curves are all there is.
/// Several runs share the table and the plot of accuracy against size.
/// What cannot be read is an Error{input} that names the file and the line.
std::string report_html(std::span<const std::filesystem::path> runs);

}  // namespace fraqat::run
