#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {

/// The graph as JSON, without the numbers of its products: these are tensors of
/// the packed file.
std::string to_json(const Graph& graph);

/// Fills in the codes, scales, multipliers and offsets of the product of layer
/// `layer`; shape, bits and grid of its weight are known.
using ReadNumbers = std::function<void(const std::string& layer, Product& product)>;

/// The inverse, for hostile text; `where` names the file in Error{input}.
Graph graph_from_json(std::string_view text, const std::string& where, const ReadNumbers& numbers);

}  // namespace fraqat::deploy
