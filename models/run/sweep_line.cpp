#include <filesystem>

#include "core/text.hpp"
#include "models/run/sweep.hpp"
#include "models/run/toml_text.hpp"

// A sweep from the command line: --recipe NAME --grid key=a,b,c becomes the text of its file.
namespace fraqat::run {
namespace {

/// Its parts between commas that are in no list, table or quotes.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote ? c == quote : c == '"' || c == '\'') quote = quote ? 0 : c;
    if (!quote) depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    if (c == ',' && depth == 0 && !quote)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// A word as TOML: what is no value of it is a text, as with --set.
std::string value_of(const std::string& word, const RecipePlace& place) {
  try {
    const toml::table line = parse_toml("x = " + word, place);
    if (line.size() == 1) return word;
  } catch (const Error&) {
  }
  return toml_of(toml::value<std::string>(word));
}

}  // namespace

Sweep grid_sweep(const std::string& recipe, const std::vector<std::string>& grids,
                 const std::vector<std::string>& overrides) {
  const RecipePlace place{"--grid", Error::Kind::usage, {}, "sweep"};
  std::string name, lists;
  for (const std::string& grid : grids) {
    const std::size_t equals = grid.find('=');
    check_usage(equals != std::string::npos && equals > 0, "[sweep] --grid ", in_quotes(grid),
                ": no values; expected key=value,value; try search.bit_rate=0.02,0.05");
    const std::string key = grid.substr(0, equals);
    name += (name.empty() ? "" : ", ") + key + " {" + key + "}";
    lists += key + " = [";
    for (const std::string& word : parts_of(grid.substr(equals + 1)))
      lists += value_of(word, place) + ", ";
    lists += "]\n";
  }
  const std::string title = std::filesystem::path(recipe).stem().string() + "-grid";
  const auto quoted = [](const std::string& text) {
    return toml_of(toml::value<std::string>(text));
  };
  try {
    return parse_sweep("name = " + quoted(title) + "\nrecipe = " + quoted(recipe) +
                           "\n[[grid]]\nname = " + quoted(name) + "\n[grid.over]\n" + lists,
                       "--grid", overrides);
  } catch (const Error& error) {  // the text is the user's command line
    fail(Error::Kind::usage, error.what());
  }
}

}  // namespace fraqat::run
