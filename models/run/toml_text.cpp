#include "models/run/toml_text.hpp"

#include <algorithm>
#include <sstream>

#include "core/text.hpp"
#include "models/run/recipe_keys.hpp"

namespace fraqat::run {
namespace {

/// The parser recurses into tables: brackets it limits to 256 levels itself, but
/// not dotted keys (a.a.a.a...), so lines and the dots on one have limits here.
void check_lines(const std::string& text, const RecipePlace& place) {
  constexpr std::size_t longest = 1024, most_dots = 32;
  std::size_t line = 1, length = 0, dots = 0;
  for (const char c : text) {
    length = c == '\n' ? 0 : length + 1;
    dots = c == '\n' ? 0 : dots + (c == '.');
    if (length > longest || dots > most_dots)
      fail(place.kind, "[", place.who, "] ", place.origin, ":", line,
           ": line too long or too deep: got ", length, " bytes with ", dots,
           " dots so far; expected at most ", longest, " bytes and ", most_dots, " dots");
    line += c == '\n';
  }
}

}  // namespace

toml::table parse_toml(const std::string& text, const RecipePlace& place) {
  const std::size_t valid = valid_utf8_length(text);
  if (valid < text.size())
    fail(place.kind, "[", place.who, "] ", place.origin, ": not UTF-8: got ",
         in_quotes(text.substr(valid, 4)), " at offset ", valid, "; expected TOML text");
  check_lines(text, place);
  try {
    return toml::parse(text, place.origin);
  } catch (const toml::parse_error& error) {
    // Its texts begin "Error while parsing ..."
    std::string what(error.description());
    if (what.starts_with("Error")) what[0] = 'e';
    fail(place.kind, "[", place.who, "] ", place.origin, ":", error.source().begin.line,
         ": not TOML: got an ", what);
  }
}

std::vector<TomlEntry> in_order(const toml::table& table) {
  std::vector<TomlEntry> entries;
  for (const auto& [key, node] : table) entries.push_back({std::string(key.str()), &node});
  std::sort(entries.begin(), entries.end(), [](const TomlEntry& a, const TomlEntry& b) {
    const auto &x = a.node->source().begin, &y = b.node->source().begin;
    return std::pair(x.line, x.column) < std::pair(y.line, y.column);
  });
  return entries;
}

std::string shown(const toml::node& node) {
  if (const auto* text = node.as_string()) return in_quotes(text->get(), 60);
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* number = node.as_floating_point()) {
    const std::string digits = to_text(number->get());
    return digits.find_first_of(".en") == std::string::npos ? digits + ".0" : digits;
  }
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (node.is_table()) return "a table";
  if (const auto* array = node.as_array()) {
    std::string text = "[";
    for (std::size_t i = 0; i < std::min<std::size_t>(array->size(), 8); ++i)
      text += (i ? ", " : "") + (array->get(i)->is_array() ? "[...]" : shown(*array->get(i)));
    return text + (array->size() > 8 ? ", ...]" : "]");
  }
  return "a date or time";
}

std::string toml_of(const toml::node& node) {
  if (const auto* array = node.as_array()) {
    std::string text = "[";
    for (const toml::node& element : *array)
      text += (text.size() > 1 ? ", " : "") + toml_of(element);
    return text + "]";
  }
  if (node.is_floating_point()) return shown(node);
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << toml::toml_formatter(node, toml::format_flags::none);
  return text.str();
}

}  // namespace fraqat::run
