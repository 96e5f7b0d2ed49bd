#pragma once

#include <string>

#include "tests/support/op_test.hpp"

/// What PyTorch says: the numbers of tests/golden, made by make_golden.py there.
namespace fraqat::test {

/// Runs f and its backward on the inputs of a case, "add/equal", and wants
/// PyTorch's output and gradients: |ours - theirs| <= atol + rtol |theirs|.
void as_pytorch(const std::string& name, const Function& f, double rtol = 1e-5, double atol = 1e-6);

}  // namespace fraqat::test
