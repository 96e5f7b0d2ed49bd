#pragma once

#include <string>

/// Experiments that come with fraqat, looked up by name in models/recipes of the working
/// directory, of the source tree or of the installation.
namespace fraqat::run {

/// `name` as a file of that name (it has a slash or ends with .toml), or the recipe
/// that comes with fraqat.  An unknown name is an Error{usage} that lists those there are.
std::string find_recipe(const std::string& name);

/// The same for sweeps, in recipes/sweeps.
std::string find_sweep(const std::string& name);

}  // namespace fraqat::run
