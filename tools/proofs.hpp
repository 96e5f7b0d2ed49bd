#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/real.hpp"

namespace fraqat::tools {

/// What the checks of one op's gradient have shown so far.
struct Proof {
  Index compared = 0;  // elements
  double worst = 0;    // largest error, see compare()
  bool failed = false;
};

/// By op, filled by the op tests while they run and read by fraqat-gradcheck.
std::map<std::string, Proof, std::less<>>& proofs();

/// Notes one compared element of the gradient of `op`.  Its error is relative
/// to the larger of the two numbers, or to 0.01 if both are smaller.
void compare(std::string_view op, double gradient, double expected);

/// Added to the seed of every random input of the op tests.
std::uint64_t& seed_shift();

}  // namespace fraqat::tools
