#pragma once

#include <string>

#include "nn/module.hpp"

namespace fraqat::tools {

/// The graph of `model` as text for Graphviz, read from a tape over one `image`
/// [1, ...]: a box for each op with its layer and attributes, an ellipse for each
/// parameter, shapes on the edges, the batch as N.
std::string dot_text(nn::Module& model, const Tensor& image);

}  // namespace fraqat::tools
