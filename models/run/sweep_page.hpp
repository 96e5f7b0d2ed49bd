#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/run/sweep_summary.hpp"

/// The result of a sweep for people.
namespace fraqat::run {

/// The titles of the table, and a row of it as text: "91.38 ± 0.12", "25,884".
const std::vector<std::string>& table_titles();
std::vector<std::string> cells_of(const SummaryRow& row);

/// The table in Markdown, and how to repeat it.
std::string markdown(const Summary& summary);

/// Accuracy over bytes: every row with its spread, the front, and the line between
/// uniform rows; empty if there is nothing to draw.
std::string front_chart(const Summary& summary);

/// The same for the rows up to the uniform one above the largest learned one, without
/// float: where learning has to win.  Empty if these are all.
std::string close_up(const Summary& summary);

/// The same as a file of its own, which knows its colours in the light and in the dark.
std::string front_svg(const Summary& summary);

/// Table and chart as one page, complete in itself.
std::string sweep_html(const Summary& summary);

/// Writes sweep.json, table.md, front.svg and sweep.html into `folder`.
void write_sweep(const Summary& summary, const std::filesystem::path& folder);

}  // namespace fraqat::run
