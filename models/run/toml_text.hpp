#pragma once

#include <toml++/toml.h>

#include <string>
#include <vector>

#include "models/run/recipe_toml.hpp"

/// TOML as recipes and sweeps read it: hostile files are refused before they cost
/// anything, and what is wrong is blamed by file, line and key.  Slow to compile.
namespace fraqat::run {

/// The tables of `text`; throws what `place` says where it is no TOML.
toml::table parse_toml(const std::string& text, const RecipePlace& place);

struct TomlEntry {
  std::string name;
  const toml::node* node;

  int line() const { return static_cast<int>(node->source().begin.line); }
};

/// The entries of a table, in the order of the text.
std::vector<TomlEntry> in_order(const toml::table& table);

/// A value as an error text shows it.
std::string shown(const toml::node& node);

/// A value in one line of TOML.
std::string toml_of(const toml::node& node);

}  // namespace fraqat::run
