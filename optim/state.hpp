#pragma once

#include <functional>
#include <string>

#include "core/tensor.hpp"

namespace fraqat::optim {

/// Receives the state of what trains, tensor by tensor: a checkpoint reads them,
/// a resumed run overwrites their numbers.
using StateVisitor = std::function<void(const std::string& name, Tensor& tensor)>;

}  // namespace fraqat::optim
