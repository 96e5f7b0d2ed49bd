#pragma once

#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "models/run/recipe.hpp"

/// The keys of a recipe, as data: reading, --set, writing and every error text
/// come from this one table.
namespace fraqat::run {

using Field = std::variant<std::string*, bool*, int*, Index*, std::uint64_t*, double*,
                           std::vector<int>*, std::vector<double>*, WidthsByLayer*>;

struct Key {
  std::string path;  // "quant.weight.start"
  Field field;
  std::vector<std::string> words = {};  // what a string may be; empty: anything
  double least = 0, most = std::numeric_limits<double>::infinity();
  bool least_excluded = false, most_excluded = false;
  bool rising = false;             // lists
  std::string counted = "widths";  // what is in a list of whole numbers

  /// "float" of "float.rate", "" of "seed".
  std::string section() const;
  std::string name() const;

  /// What a value must be, to complete "expected ...".
  std::string expected() const;

  bool in_range(double value) const;
};

/// The shortest decimal that reads back as `value`; whole numbers without a point.
std::string to_text(double value);

/// Every key, its field in `recipe`, in the order of a written file; keys of a
/// section stand together.
std::vector<Key> keys_of(Recipe& recipe);

/// A rule between fields that does not hold: the key to blame, and why.
struct Conflict {
  std::string key, text;
};

/// The first rule that `recipe` breaks; an empty key if none.
Conflict conflict_in(const Recipe& recipe);

}  // namespace fraqat::run
