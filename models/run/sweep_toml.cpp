#include <algorithm>
#include <filesystem>
#include <map>

#include "core/file.hpp"
#include "core/nearest.hpp"
#include "core/text.hpp"
#include "models/run/recipe_files.hpp"
#include "models/run/recipe_keys.hpp"
#include "models/run/sweep.hpp"
#include "models/run/sweep_grid.hpp"

namespace fraqat::run {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_name = 100;

/// Reads a sweep file into rows.
class SweepReader {
 public:
  SweepReader(const std::string& origin, const std::vector<std::string>& overrides)
      : place_{origin, Error::Kind::input, {}, "sweep"}, overrides_(overrides) {}

  Sweep read(const toml::table& file);

 private:
  /// What [[row]] and [[grid]] may say.
  struct Part {
    std::string kind, name;
    int line = 0;
    std::vector<Setting> set;
    const toml::node* over = nullptr;
    std::vector<std::uint64_t> seeds;
    bool all_arms = true;
  };

  void top_level(const toml::table& file);
  void parts(const std::string& kind, const toml::node& node);
  void part(const std::string& kind, const toml::table& table, int line);
  void row(const Part& part, const RowDraft& draft);
  Recipe recipe_of(const SweepRow& row, int line) const;

  std::string text(const std::string& path, const toml::node& node);
  std::vector<std::uint64_t> seeds(const std::string& path, const toml::node& node);
  bool all_arms(const std::string& path, const toml::node& node);
  [[noreturn]] void unknown(const std::string& path, const std::string& name,
                            const std::vector<std::string>& known) const;

  RecipePlace place_;
  const std::vector<std::string>& overrides_;
  Sweep sweep_;
  Recipe base_;
  std::vector<std::uint64_t> seeds_ = {1};
  bool all_arms_ = true;
  std::vector<Setting> set_;
  std::vector<Part> parts_;
  std::map<std::string, int> lines_;  // of the rows, by folder
};

std::string SweepReader::text(const std::string& path, const toml::node& node) {
  const auto* value = node.as_string();
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (!value || value->get().empty() || value->get().size() > 4 * longest_name ||
      std::any_of(value->get().begin(), value->get().end(), control))
    place_.refuse(path, "got " + shown(node) + "; expected a line of text");
  return value->get();
}

std::vector<std::uint64_t> SweepReader::seeds(const std::string& path, const toml::node& node) {
  constexpr std::size_t most = 1000;
  std::vector<std::uint64_t> list;
  const toml::array* array = node.as_array();
  bool good = array && !array->empty() && array->size() <= most;
  for (std::size_t i = 0; good && i < array->size(); ++i) {
    const auto* seed = array->get(i)->as_integer();
    good = seed && seed->get() >= 0 &&
           std::find(list.begin(), list.end(), std::uint64_t(seed->get())) == list.end();
    if (good) list.push_back(static_cast<std::uint64_t>(seed->get()));
  }
  if (!good)
    place_.refuse(path, "got " + shown(node) + "; expected a list of different whole numbers");
  return list;
}

bool SweepReader::all_arms(const std::string& path, const toml::node& node) {
  const auto* word = node.as_string();
  if (!word || (word->get() != "all" && word->get() != "learned"))
    place_.refuse(path, "got " + shown(node) + "; expected all or learned");
  return word->get() == "all";
}

void SweepReader::unknown(const std::string& path, const std::string& name,
                          const std::vector<std::string>& known) const {
  std::string near = nearest(name, known), words;
  for (const std::string& word : known) words += (words.empty() ? "" : ", ") + word;
  if (near.empty() && is_key(name)) near = "[set], where keys of the recipe go";
  place_.refuse(path, "unknown key: got " + in_quotes(name, 60) + "; expected one of " + words +
                          (near.empty() ? "" : "; try " + near));
}

void SweepReader::top_level(const toml::table& file) {
  for (const TomlEntry& entry : in_order(file)) {
    const std::string& name = entry.name;
    const toml::node& node = *entry.node;
    place_.lines[name] = entry.line();
    if (name == "name") {
      sweep_.name = text(name, node);
      if (folder_name(sweep_.name) != sweep_.name)
        place_.refuse(name, "got " + shown(node) +
                                "; expected letters, digits, '.', '_' and '-': a folder's name");
    } else if (name == "recipe")
      sweep_.recipe = text(name, node);
    else if (name == "weights")
      sweep_.weights = text(name, node);
    else if (name == "seeds")
      seeds_ = seeds(name, node);
    else if (name == "arms")
      all_arms_ = all_arms(name, node);
    else if (name == "set")
      set_ = settings_in(node, name, place_);
    else if (name != "row" && name != "grid")
      unknown(name, name, {"name", "recipe", "weights", "seeds", "arms", "set", "row", "grid"});
  }
}

void SweepReader::parts(const std::string& kind, const toml::node& node) {
  const toml::array* list = node.as_array();
  if (!list) place_.refuse(kind, "got " + shown(node) + "; expected tables, [[" + kind + "]]");
  for (const toml::node& element : *list) {
    place_.lines[kind] = static_cast<int>(element.source().begin.line);
    if (!element.is_table())
      place_.refuse(kind, "got " + shown(element) + "; expected a table, [[" + kind + "]]");
    part(kind, *element.as_table(), place_.lines[kind]);
  }
}

void SweepReader::part(const std::string& kind, const toml::table& table, int line) {
  Part part{kind, "", line, {}, nullptr, seeds_, all_arms_};
  for (const TomlEntry& entry : in_order(table)) {
    const std::string path = kind + "." + entry.name;
    place_.lines[path] = entry.line();
    if (entry.name == "name")
      part.name = text(path, *entry.node);
    else if (entry.name == "seeds")
      part.seeds = seeds(path, *entry.node);
    else if (entry.name == "arms")
      part.all_arms = all_arms(path, *entry.node);
    else if (entry.name == "set")
      part.set = settings_in(*entry.node, path, place_);
    else if (entry.name == "over" && kind == "grid")
      part.over = entry.node;
    else if (kind == "grid")
      unknown(path, entry.name, {"name", "seeds", "arms", "set", "over"});
    else
      unknown(path, entry.name, {"name", "seeds", "arms", "set"});
  }
  if (part.name.empty()) place_.refuse(kind, "no name; expected name = \"...\"");
  if (kind == "grid" && !part.over)
    place_.refuse(kind, "nothing to combine; expected lists in [grid.over]");
  parts_.push_back(std::move(part));
}

Recipe SweepReader::recipe_of(const SweepRow& row, int line) const {
  Recipe recipe = base_;
  RecipePlace place = place_;
  place.lines.clear();
  place.context = "row " + in_quotes(row.name) + ": ";
  for (const Setting& setting : row.settings) {
    place.lines[setting.key] = setting.line;
    set_key_from_toml(setting.key, setting.value, recipe, place);
  }
  if (const Conflict conflict = conflict_in(recipe); !conflict.key.empty()) {
    place.lines.emplace(conflict.key, line);
    place.refuse(conflict.key, conflict.text);
  }
  try {
    override_keys(recipe, overrides_);
  } catch (const Error& error) {  // what suits the other rows need not suit this one
    fail(error.kind(), "[sweep] row ", in_quotes(row.name), ": ", error.what());
  }
  recipe.name = row.folder;
  return recipe;
}

void SweepReader::row(const Part& part, const RowDraft& draft) {
  SweepRow row{draft.name, folder_name(draft.name), set_, part.seeds, part.all_arms, {}};
  const std::string path = part.kind + ".name";
  if (row.folder.empty() || row.name.size() > longest_name)
    place_.refuse(path, "got " + in_quotes(row.name, 60) +
                            "; expected up to 100 letters, some of them a to z or digits");
  for (const char* file : {"sweep.json", "sweep.html", "table.md", "front.svg"})
    if (row.folder == file)
      place_.refuse(path,
                    "got " + in_quotes(row.name) + ", a file of the sweep's; expected another");
  if (const auto [found, fresh] = lines_.emplace(row.folder, part.line); !fresh)
    place_.refuse(path, "two rows are called " + in_quotes(row.name) + ": got another in line " +
                            std::to_string(found->second) +
                            (part.over ? "; expected a name with each {key} of [grid.over]"
                                       : "; expected a name for each"));
  for (const auto* more : {&part.set, &draft.settings})
    row.settings.insert(row.settings.end(), more->begin(), more->end());
  row.recipe = recipe_of(row, part.line);
  for (const std::string& setting : overrides_) {
    const std::size_t equals = setting.find('=');
    const std::string key = setting.substr(0, equals);
    for (const Setting& one : draft.settings)
      check_usage(one.key != key, "[sweep] --set takes what the rows differ in: got ",
                  in_quotes(key), ", which ", in_quotes(row.name),
                  " has from its grid; expected a "
                  "key of none; try a grid without it");
    row.settings.push_back({key, setting.substr(equals + 1)});
  }
  sweep_.rows.push_back(std::move(row));
}

Sweep SweepReader::read(const toml::table& file) {
  top_level(file);
  if (sweep_.recipe.empty())
    place_.refuse("recipe", "got none; expected the name of a recipe, or a TOML file");
  const bool is_file = sweep_.recipe.ends_with(".toml") && !fs::path(sweep_.recipe).is_absolute();
  base_ = load_recipe(
      is_file ? (fs::path(place_.origin).parent_path() / sweep_.recipe).string() : sweep_.recipe,
      {});
  for (const char* kind : {"row", "grid"})
    if (const toml::node* node = file.get(kind)) parts(kind, *node);
  std::stable_sort(parts_.begin(), parts_.end(),
                   [](const Part& a, const Part& b) { return a.line < b.line; });
  for (const Part& part : parts_) {
    place_.lines[part.kind + ".name"] = part.line;
    for (const RowDraft& draft : part.over ? expand_grid(part.name, *part.over, place_)
                                           : std::vector<RowDraft>{{part.name, {}}})
      row(part, draft);
  }
  if (sweep_.rows.empty())
    place_.refuse("row", "got none; expected at least one [[row]] or [[grid]]");
  return std::move(sweep_);
}

}  // namespace

Sweep parse_sweep(const std::string& text, const std::string& origin,
                  const std::vector<std::string>& overrides) {
  const RecipePlace place{origin, Error::Kind::input, {}, "sweep"};
  const toml::table file = parse_toml(text, place);
  Sweep sweep = SweepReader(origin, overrides).read(file);
  if (sweep.name.empty()) sweep.name = fs::path(origin).stem().string();
  return sweep;
}

Sweep load_sweep(const std::string& name_or_file, const std::vector<std::string>& overrides) {
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 20;
  const std::string file = find_sweep(name_or_file);
  return parse_sweep(read_text_file(file, most_bytes), file, overrides);
}

}  // namespace fraqat::run
