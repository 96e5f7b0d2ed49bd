#pragma once

#include <string>
#include <vector>

#include "models/run/recipe.hpp"

namespace fraqat::run {

/// A line of a written recipe; the key with its section.
struct WrittenKey {
  std::string key, value;
};

/// Every key and value of a recipe, in the order of to_toml.
std::vector<WrittenKey> written_keys(const Recipe& recipe);

/// The first key in which the recipes differ, to complete "holds the run of another recipe: ".
std::string difference(const Recipe& there, const Recipe& expected);

}  // namespace fraqat::run
