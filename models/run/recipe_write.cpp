#include <algorithm>

#include "models/run/recipe.hpp"
#include "models/run/recipe_keys.hpp"

namespace fraqat::run {
namespace {

/// A name or one of the allowed words: nothing that needs an escape, unless a
/// program put it there.
std::string quoted_toml(const std::string& text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F)
      out += {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
    else if (c == '"' || c == '\\')
      out += {'\\', c};
    else
      out += c;
  }
  return out + '"';
}

std::string whole(int value) { return std::to_string(value); }

std::string real(double value) {
  const std::string text = to_text(value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

template <class Number>
std::string list(const std::vector<Number>& values, std::string (*written)(Number)) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i ? ", " : "") + written(values[i]);
  return text + "]";
}

struct Written {
  std::string operator()(const std::string* text) const { return quoted_toml(*text); }
  std::string operator()(const bool* flag) const { return *flag ? "true" : "false"; }
  std::string operator()(const double* value) const { return real(*value); }
  std::string operator()(const std::vector<int>* values) const { return list(*values, whole); }
  std::string operator()(const std::vector<double>* values) const { return list(*values, real); }
  std::string operator()(const WidthsByLayer*) const { return {}; }
  template <class Whole>
  std::string operator()(const Whole* value) const {
    return std::to_string(*value);
  }
};

std::string line(const std::string& key, const std::string& value, const std::string& comment) {
  constexpr std::size_t column = 34;
  std::string text = key + " = " + value;
  text.resize(std::max(column, text.size() + 2), ' ');
  return text + "# " + comment + "\n";
}

}  // namespace

std::string to_toml(const Recipe& recipe) {
  Recipe copy = recipe;
  std::string text, section;
  for (const Key& key : keys_of(copy)) {
    if (const auto* const* layers = std::get_if<WidthsByLayer*>(&key.field)) {
      section = key.path;
      text += "\n[" + section + "]  # " + key.expected() + "\n";
      for (const auto& [layer, width] : **layers)
        text += quoted_toml(layer) + " = " + std::to_string(width) + "\n";
      continue;
    }
    if (key.section() != section) text += "\n[" + (section = key.section()) + "]\n";
    text += line(key.name(), std::visit(Written{}, key.field), key.expected());
  }
  return text;
}

}  // namespace fraqat::run
