#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/run/recipe.hpp"

namespace fraqat::run {

/// A key of the recipe and its value, both as in a TOML file.
struct Setting {
  std::string key, value;
  int line = 0;  // of the sweep file
};

/// One recipe of a sweep.
struct SweepRow {
  std::string name;               // as the table shows it
  std::string folder;             // the same as a file name, the recipe's name, too
  std::vector<Setting> settings;  // what the recipe is told, in this order, --set last
  std::vector<std::uint64_t> seeds;
  bool all_arms = true;  // false: the table shows the learned one only
  Recipe recipe;         // complete and checked; its seed is that of each run
};

/// A grid of recipes, as its file says.
struct Sweep {
  std::string name, recipe;
  std::string weights;  // PyTorch's or a checkpoint, for every row to start from; empty: train
  std::vector<SweepRow> rows;
};

/// Reads `name_or_file` (a name is looked up in models/recipes/sweeps) and
/// makes the recipe of every row: the base, [set], what the row says, `overrides`
/// ("search.epochs=1"), none of them of what a grid varies.  Errors are those of a recipe, with the
/// line in the sweep file.
Sweep load_sweep(const std::string& name_or_file, const std::vector<std::string>& overrides);

/// The sweep written in `text`; `origin` is its name in errors, and recipes that are
/// files are looked for beside it.
Sweep parse_sweep(const std::string& text, const std::string& origin,
                  const std::vector<std::string>& overrides);

/// The sweep of one grid over `recipe`, a name or a file: each of `grids`, "search.rate=0.01,0.02",
/// is a key with its values, the last changing fastest.  What is wrong with them is an
/// Error{usage}.
Sweep grid_sweep(const std::string& recipe, const std::vector<std::string>& grids,
                 const std::vector<std::string>& overrides);

}  // namespace fraqat::run
