#pragma once

#include <string>
#include <string_view>

#include "tests/support/op_test.hpp"

/// What PyTorch says: the numbers of tests/golden, made by make_golden.py there.
namespace fraqat::test {

/// The tensor in the bytes of a .npy file as make_golden.py writes it: version
/// 1.0, little-endian float32, C order, at most five dimensions, nothing missing
/// and nothing left.  All else is an Error of kind input that names `who`.
Tensor parse_npy(std::string_view bytes, const std::string& who);

/// Runs f and its backward on the inputs of a case, "add/equal", and wants
/// PyTorch's output and gradients: |ours - theirs| <= atol + rtol |theirs|.
void as_pytorch(const std::string& golden, const Function& f, double rtol = 1e-5,
                double atol = 1e-6);

}  // namespace fraqat::test
