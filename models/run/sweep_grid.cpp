#include "models/run/sweep_grid.hpp"

#include <algorithm>

#include "core/nearest.hpp"
#include "core/text.hpp"

namespace fraqat::run {
namespace {

constexpr std::size_t most_rows = 1000;

/// One value of an axis: how names show it, and what it sets.
struct Choice {
  std::string text;
  std::vector<Setting> settings;
};

struct Axis {
  std::string name;
  std::vector<Choice> choices;
};

std::string plain(const toml::node& value) {
  return value.is_string() ? value.as_string()->get() : toml_of(value);
}

/// Some keys belong to the sweep.
void refuse_own(const std::string& key, const toml::node& value, const std::string& path,
                RecipePlace& place) {
  if (key == "seed" || key == "name")
    place.refuse(path, "got " + shown(value) + "; expected none: " +
                           (key == "seed" ? "seeds = [...], or --seeds, says which are run"
                                          : "a row's name is its recipe's"));
}

const toml::array& list_at(const toml::node* node, const std::string& path, RecipePlace& place,
                           const char* expected) {
  const toml::array* list = node ? node->as_array() : nullptr;
  if (!list || list->empty())
    place.refuse(path, "got " + (node ? shown(*node) : "nothing") + "; expected " + expected);
  return *list;
}

/// { keys = ["quant.weight.bits", "quant.activation.bits"], values = ["fixed", ...] }: each value
/// goes to all of the keys.
Axis keys_and_values(const std::string& path, const std::string& name, const toml::table& table,
                     RecipePlace& place) {
  for (const TomlEntry& entry : in_order(table))
    if (entry.name != "keys" && entry.name != "values")
      place.refuse(path, "got an entry " + in_quotes(entry.name) + "; expected keys and values");
  const toml::array& keys =
      list_at(table.get("keys"), path + ".keys", place, "a list of keys of a recipe");
  const toml::array& values =
      list_at(table.get("values"), path + ".values", place, "a list of one or more values");
  Axis axis{name, {}};
  for (const toml::node& value : values) {
    Choice choice{plain(value), {}};
    for (const toml::node& key : keys) {
      if (!key.is_string())
        place.refuse(path + ".keys", "got " + shown(key) + "; expected keys of a recipe");
      refuse_own(key.as_string()->get(), value, path + ".keys", place);
      choice.settings.push_back(
          {key.as_string()->get(), toml_of(value), static_cast<int>(value.source().begin.line)});
    }
    axis.choices.push_back(std::move(choice));
  }
  return axis;
}

/// [{ name = "direct", quant.weight.bits = "fixed", ... }, ...]: each table is a choice.
Axis named_settings(const std::string& path, const std::string& name, const toml::array& list,
                    RecipePlace& place) {
  Axis axis{name, {}};
  for (const toml::node& element : list) {
    const toml::table* table = element.as_table();
    const toml::node* title = table ? table->get("name") : nullptr;
    place.lines[path] = static_cast<int>(element.source().begin.line);
    if (!title || !title->is_string())
      place.refuse(path, "got " + shown(element) +
                             "; expected values of a key of a recipe, or tables of settings, each "
                             "with a name; try { name = \"...\", search.rate = 0.1 }");
    toml::table rest = *table;
    rest.erase("name");
    axis.choices.push_back({title->as_string()->get(), settings_in(rest, path, place)});
  }
  return axis;
}

/// The axes in [grid.over]: dotted keys make tables inside tables there.
void find_axes(const toml::table& table, const std::string& path, const std::string& prefix,
               std::vector<Axis>& axes, RecipePlace& place) {
  for (const TomlEntry& entry : in_order(table)) {
    const std::string name = prefix.empty() ? entry.name : prefix + "." + entry.name;
    const std::string full = path + "." + name;
    place.lines[full] = entry.line();
    const toml::table* inner = entry.node->as_table();
    if (inner && (inner->contains("keys") || inner->contains("values"))) {
      axes.push_back(keys_and_values(full, name, *inner, place));
    } else if (inner) {
      find_axes(*inner, path, name, axes, place);
    } else {
      const toml::array& list =
          list_at(entry.node, full, place, "a list of values, one for each row");
      refuse_own(name, list, full, place);
      if (!is_key(name)) {
        axes.push_back(named_settings(full, name, list, place));
        continue;
      }
      Axis axis{name, {}};
      for (const toml::node& value : list)
        axis.choices.push_back({plain(value), {{name, toml_of(value), entry.line()}}});
      axes.push_back(std::move(axis));
    }
  }
}

/// `name` with each {axis} replaced.
std::string filled(const std::string& name, const std::vector<Axis>& axes,
                   const std::vector<std::size_t>& at, RecipePlace& place) {
  std::string text;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t end = name[i] == '{' ? name.find('}', i) : std::string::npos;
    if (end == std::string::npos) {
      text += name[i++];
      continue;
    }
    const std::string word = name.substr(i + 1, end - i - 1);
    std::vector<std::string> words;
    for (const Axis& axis : axes) words.push_back(axis.name);
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) {
      const std::string near = nearest(word, words);
      place.refuse("grid.name", "got {" + word + "}; expected what [grid.over] lists" +
                                    (near.empty() ? "" : "; try {" + near + "}"));
    }
    const auto k = static_cast<std::size_t>(found - words.begin());
    text += axes[k].choices[at[k]].text;
    i = end + 1;
  }
  return text;
}

}  // namespace

std::string folder_name(const std::string& name) {
  std::string folder;
  for (const char c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_';
    if (kept && !(c == '.' && folder.empty()))
      folder += c;
    else if (!folder.empty() && folder.back() != '-')
      folder += '-';
  }
  while (folder.ends_with('-')) folder.pop_back();
  return folder;
}

std::vector<Setting> settings_in(const toml::node& node, const std::string& path,
                                 RecipePlace& place) {
  const toml::table* table = node.as_table();
  if (!table) place.refuse(path, "got " + shown(node) + "; expected keys of a recipe");
  std::vector<Setting> settings;
  const auto walk = [&](const auto& self, const toml::table& inner,
                        const std::string& prefix) -> void {
    for (const TomlEntry& entry : in_order(inner)) {
      const std::string key = prefix + entry.name;
      place.lines[path + "." + key] = entry.line();
      refuse_own(key, *entry.node, path + "." + key, place);
      if (const toml::table* deeper = entry.node->as_table())
        self(self, *deeper, key + ".");
      else
        settings.push_back({key, toml_of(*entry.node), entry.line()});
    }
  };
  walk(walk, *table, "");
  return settings;
}

std::vector<RowDraft> expand_grid(const std::string& name, const toml::node& over,
                                  RecipePlace& place) {
  if (!over.is_table())
    place.refuse("grid.over", "got " + shown(over) + "; expected lists of values by key");
  std::vector<Axis> axes;
  find_axes(*over.as_table(), "grid.over", "", axes, place);
  std::size_t count = 1;
  for (const Axis& axis : axes) {
    count *= axis.choices.size();
    if (count > most_rows)
      place.refuse("grid.over", "got more than " + std::to_string(most_rows) +
                                    " combinations; expected fewer rows in one sweep");
  }
  std::vector<RowDraft> rows;
  std::vector<std::size_t> at(axes.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t rest = i;
    for (std::size_t k = axes.size(); k-- > 0; rest /= axes[k].choices.size())
      at[k] = rest % axes[k].choices.size();
    RowDraft row{filled(name, axes, at, place), {}};
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const std::vector<Setting>& more = axes[k].choices[at[k]].settings;
      row.settings.insert(row.settings.end(), more.begin(), more.end());
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace fraqat::run
