#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Pieces of the pages that runs and sweeps are shown on.  Texts are escaped here,
/// but not SVG and HTML that are put inside.
namespace fraqat::run::html {

/// A large number with its meaning below.
std::string tile(const std::string& number, const std::string& meaning, std::string_view css = "");

/// A chart with title and text; nothing without a chart.
std::string figure(std::string_view title, std::string_view text, const std::string& svg);

/// A row of a table; `cell` is "td" or "th".
std::string row(const std::vector<std::string>& cells, std::string_view cell = "td",
                std::string_view css = "");
std::string table(const std::string& head, const std::string& body);

/// A term and what it is, for a <dl>; nothing without a text.
std::string entry(std::string_view term, const std::string& text);

/// What is shown on demand; nothing without content.
std::string folded(std::string_view title, const std::string& content);

/// The whole page, complete in itself: no script, no font, no network.
std::string page(const std::string& title, const std::string& content);

}  // namespace fraqat::run::html
