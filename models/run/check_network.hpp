#pragma once

#include "models/run/recipe.hpp"

namespace fraqat::run {

/// What only the network itself can tell of a recipe, before anything is trained.  An
/// Error{usage} if
///
/// - quant.weight_bits or quant.activation_bits name a layer that it does not have, or that has
///   no such tensor, or quant.sum_bits is given where nothing is added;
/// - a width that is to be learned has no choice;
/// - a budget counts nothing that is learned, or is below what the smallest allowed widths take;
/// - coupled tensors have no allowed width in common.
void check_network(const Recipe& recipe);

}  // namespace fraqat::run
