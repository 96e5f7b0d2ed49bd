#include <algorithm>
#include <filesystem>

#include "core/text.hpp"
#include "models/run/sweep_grid.hpp"
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

std::string as_toml(const std::string& text) { return toml_of(toml::value<std::string>(text)); }

/// A word as TOML: what is no value of it is a text.
std::string value_of(const std::string& word, const RecipePlace& place) {
  try {
    const toml::table line = parse_toml("x = " + word, place);
    if (line.size() == 1) return word;
  } catch (const Error&) {
  }
  return as_toml(word);
}

/// A key and its values.
struct List {
  std::string key, values;

  /// What names show of the key: what is behind the last dot.
  std::string word() const { return key.substr(key.rfind('.') + 1); }
};

List list_of(const std::string& grid, const RecipePlace& place) {
  const std::size_t equals = grid.find('=');
  check_usage(equals != std::string::npos && equals > 0, "[sweep] --grid has no values: got ",
              in_quotes(grid), "; expected key=value,value; try search.bit_rate=0.02,0.05");
  List list{grid.substr(0, equals), {}};
  for (const std::string& word : parts_of(grid.substr(equals + 1)))
    list.values += value_of(word, place) + ",\n";
  return list;
}

/// The file's text: one [[grid]], its rows named by all values.
std::string text_of(const std::string& name, const std::string& recipe,
                    const std::vector<List>& lists) {
  std::string title, over;
  for (const List& list : lists) {
    const auto same = [&](const List& other) { return other.word() == list.word(); };
    const bool clear = std::count_if(lists.begin(), lists.end(), same) == 1;
    title += (title.empty() ? "" : ", ") + (clear ? list.word() : list.key) + " {" + list.key + "}";
    const std::string key = as_toml(list.key);
    over += key + " = { keys = [" + key + "], values = [" + list.values + "] }\n";
  }
  return "name = " + as_toml(name) + "\nrecipe = " + as_toml(recipe) +
         "\n[[grid]]\nname = " + as_toml(title) + "\n[grid.over]\n" + over;
}

}  // namespace

Sweep grid_sweep(const std::string& recipe, const std::vector<std::string>& grids,
                 const std::vector<std::string>& overrides) {
  const std::string origin = "--grid";
  const RecipePlace place{origin, Error::Kind::usage, {}, "sweep"};
  load_recipe(recipe, {});  // what is wrong with it is no fault of the command line
  std::vector<List> lists;
  for (const std::string& grid : grids) {
    lists.push_back(list_of(grid, place));
    const auto same = [&](const List& list) { return list.key == lists.back().key; };
    check_usage(std::count_if(lists.begin(), lists.end(), same) == 1,
                "[sweep] --grid names a key twice: got ", in_quotes(lists.back().key),
                "; expected all its values in one list; try key=value,value");
  }
  const std::string name = folder_name(std::filesystem::path(recipe).stem().string()) + "-grid";
  try {
    return parse_sweep(text_of(name, recipe, lists), origin, overrides);
  } catch (const Error& error) {  // the text is the user's command line
    fail(Error::Kind::usage, error.what());
  }
}

}  // namespace fraqat::run
