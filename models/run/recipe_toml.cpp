#include "models/run/recipe_toml.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/nearest.hpp"
#include "core/text.hpp"
#include "models/run/recipe_keys.hpp"
#include "models/run/toml_text.hpp"

namespace fraqat::run {
namespace {

/// The layer whose width is at `path`, quant.weight_bits.NAME, if `key` is that table.
std::optional<std::string> layer_of(const Key& key, const std::string& path) {
  if (!std::holds_alternative<WidthsByLayer*>(key.field) || !path.starts_with(key.path + "."))
    return std::nullopt;
  return path.substr(key.path.size() + 1);
}

bool is_name(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 100 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), plain);
}

/// Puts `node` into the field of `key`; false if it is not what the key expects.
bool assign(const Key& key, const toml::node& node);

template <class Number>
bool assign_number(const Key& key, const toml::node& node, Number& field) {
  if constexpr (std::is_same_v<Number, double>) {
    if (!node.is_number() || !key.in_range(*node.value<double>())) return false;
    field = *node.value<double>();
  } else {
    const auto* whole = node.as_integer();
    if (!whole || !key.in_range(static_cast<double>(whole->get())) ||
        !std::in_range<Number>(whole->get()))
      return false;
    field = static_cast<Number>(whole->get());
  }
  return true;
}

bool assign_list(const Key& key, const toml::node& node, std::vector<int>& field) {
  const auto* array = node.as_array();
  if (!array) return false;
  std::vector<int> list;
  for (const toml::node& element : *array) {
    int width = 0;
    if (!assign_number(key, element, width)) return false;
    if (key.rising && !list.empty() && width <= list.back()) return false;
    if (std::find(list.begin(), list.end(), width) != list.end()) return false;
    list.push_back(width);
  }
  field = std::move(list);
  return true;
}

bool assign_list(const Key& key, const toml::node& node, std::vector<double>& field) {
  const auto* array = node.as_array();
  if (!array || array->empty()) return false;
  std::vector<double> list(array->size());
  for (std::size_t i = 0; i < list.size(); ++i)
    if (!assign_number(key, *array->get(i), list[i])) return false;
  field = std::move(list);
  return true;
}

bool assign(const Key& key, const toml::node& node) {
  if (auto* const* field = std::get_if<bool*>(&key.field)) {
    if (!node.is_boolean()) return false;
    **field = node.as_boolean()->get();
    return true;
  }
  if (auto* const* field = std::get_if<std::string*>(&key.field)) {
    if (!node.is_string()) return false;
    const std::string& text = node.as_string()->get();
    const auto& words = key.words;
    if (words.empty() ? !is_name(text) : std::find(words.begin(), words.end(), text) == words.end())
      return false;
    **field = text;
    return true;
  }
  if (auto* const* field = std::get_if<int*>(&key.field)) return assign_number(key, node, **field);
  if (auto* const* field = std::get_if<Index*>(&key.field))
    return assign_number(key, node, **field);
  if (auto* const* field = std::get_if<std::uint64_t*>(&key.field))
    return assign_number(key, node, **field);
  if (auto* const* field = std::get_if<double*>(&key.field))
    return assign_number(key, node, **field);
  if (auto* const* field = std::get_if<std::vector<int>*>(&key.field))
    return assign_list(key, node, **field);
  if (auto* const* field = std::get_if<std::vector<double>*>(&key.field))
    return assign_list(key, node, **field);
  return false;
}

/// Replaces the width of `layer`, or adds it.
bool assign_layer(const Key& key, const std::string& layer, const toml::node& node) {
  WidthsByLayer& widths = **std::get_if<WidthsByLayer*>(&key.field);
  int width = 0;
  if (!is_name(layer) || !assign_number(key, node, width)) return false;
  for (auto& [name, bits] : widths)
    if (name == layer) {
      bits = width;
      return true;
    }
  widths.emplace_back(layer, width);
  return true;
}

/// Reads tables into a recipe.
class Reader {
 public:
  Reader(Recipe& recipe, RecipePlace& place) : keys_(keys_of(recipe)), place_(place) {}

  /// A table, `path` being its name, its entries in the order of the text.
  void table(const toml::table& table, const std::string& path);

  /// What stands behind a key, be it a table.
  void value(const std::string& path, const toml::node& node);

 private:
  [[noreturn]] void unknown(const std::string& path) const;
  bool is_section(const std::string& path) const;
  bool is_table(const std::string& path) const;

  std::vector<Key> keys_;
  RecipePlace& place_;
};

bool Reader::is_section(const std::string& path) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const Key& key) { return key.path.starts_with(path + "."); });
}

bool Reader::is_table(const std::string& path) const {
  return is_section(path) || std::any_of(keys_.begin(), keys_.end(), [&](const Key& key) {
           const bool widths = std::holds_alternative<WidthsByLayer*>(key.field);
           return widths && (key.path == path || layer_of(key, path));
         });
}

void Reader::table(const toml::table& table, const std::string& path) {
  for (const TomlEntry& entry : in_order(table)) {
    const std::string full = path.empty() ? entry.name : path + "." + entry.name;
    place_.lines[full] = entry.line();
    value(full, *entry.node);
  }
}

void Reader::value(const std::string& path, const toml::node& node) {
  if (node.is_table() && is_table(path)) return table(*node.as_table(), path);
  for (const Key& key : keys_) {
    const std::optional<std::string> layer = layer_of(key, path);
    if (key.path != path && !layer) continue;
    if (layer ? assign_layer(key, *layer, node) : assign(key, node)) return;
    std::string text = "got " + shown(node) + "; expected " + key.expected();
    const auto* word = node.as_string();
    const std::string near = word ? nearest(word->get(), key.words) : "";
    if (!near.empty()) text += "; try " + near;
    place_.refuse(path, text);
  }
  if (is_section(path))
    place_.refuse(path, "got " + shown(node) + "; expected a section with keys, [" + path + "]");
  unknown(path);
}

void Reader::unknown(const std::string& path) const {
  std::vector<std::string> paths, same_name;
  const std::string name = path.substr(path.rfind('.') + 1);
  if (path == "quant.activation.per_channel" || path == "quant.activation.bits_per_channel")
    place_.refuse(path,
                  "unknown key: got channels of an activation; expected one range and width for "
                  "the tensor, since the next layer's integer sums go over its channels; try " +
                      ("quant.weight." + name));
  for (const Key& key : keys_) {
    paths.push_back(key.path);
    if (!key.section().empty()) paths.push_back(key.section());
    if (key.name() == name) same_name.push_back(key.path);
  }
  std::string near = nearest(path, paths);
  if (near.empty() && !same_name.empty()) near = same_name.front();
  place_.refuse(path, "unknown key: got " + in_quotes(name, 60) + "; expected a key of a recipe" +
                          (near.empty() ? std::string() : "; try " + near));
}

bool is_text(const Recipe& recipe, const std::string& path) {
  Recipe copy = recipe;
  for (const Key& key : keys_of(copy))
    if (key.path == path) return std::holds_alternative<std::string*>(key.field);
  return false;
}

}  // namespace

void RecipePlace::refuse(const std::string& key, const std::string& text) const {
  const auto line = lines.find(key);
  const std::string escaped = in_quotes(key);
  const bool in_file = kind != Error::Kind::usage && line != lines.end();
  fail(kind, "[", who, "] ", origin, in_file ? ":" + std::to_string(line->second) : "",
       kind == Error::Kind::usage ? " " : ": ", context, escaped.substr(1, escaped.size() - 2),
       ": ", text);
}

void read_toml(const std::string& text, Recipe& recipe, RecipePlace& place) {
  Reader(recipe, place).table(parse_toml(text, place), "");
}

void set_key(const std::string& key, const std::string& value, Recipe& recipe) {
  RecipePlace place{"--set", Error::Kind::usage, {}};
  toml::table table;
  const bool quoted_text = value.starts_with('"') || value.starts_with('\'');
  if (is_text(recipe, key) && !quoted_text) {
    table.insert("value", value);
  } else {
    const bool bare_list =
        value.find(',') != std::string::npos && !value.starts_with('[') && !value.starts_with('{');
    try {
      table = parse_toml("value = " + (bare_list ? "[" + value + "]" : value), place);
    } catch (const Error&) {
      table.clear();
    }
    if (table.size() != 1) table = toml::table{{"value", value}};
  }
  Reader(recipe, place).value(key, *table.get("value"));
}

void set_key_from_toml(const std::string& key, const std::string& value, Recipe& recipe,
                       RecipePlace& place) {
  const toml::table table = parse_toml("value = " + value, place);
  Reader(recipe, place).value(key, *table.get("value"));
}

bool is_key(const std::string& path) {
  Recipe recipe;
  const std::vector<Key> keys = keys_of(recipe);
  return std::any_of(keys.begin(), keys.end(), [&](const Key& key) { return key.path == path; });
}

}  // namespace fraqat::run
