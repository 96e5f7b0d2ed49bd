#pragma once

#include <string>
#include <string_view>

#include "core/tensor.hpp"

/// Tensors that numpy wrote: the numbers of tests/golden.
namespace fraqat::test {

/// The tensor in the bytes of a .npy file as numpy.save writes float32: version
/// 1.0, little-endian, C order, at most five dimensions, nothing missing and
/// nothing left.  All else is an Error of kind input that names `who`.
Tensor parse_npy(std::string_view bytes, const std::string& who);

/// The path of tests/golden/NAME.npy, and the tensor in it.
std::string golden_path(const std::string& name);
Tensor golden(const std::string& name);

}  // namespace fraqat::test
