#include "tools/proofs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fraqat::tools {

std::map<std::string, Proof, std::less<>>& proofs() {
  static std::map<std::string, Proof, std::less<>> all;
  return all;
}

void compare(std::string_view op, double gradient, double expected) {
  const double magnitude = std::max({0.01, std::abs(gradient), std::abs(expected)});
  const double error = std::abs(gradient - expected) / magnitude;
  Proof& proof = proofs()[std::string(op)];
  ++proof.compared;
  proof.worst =
      std::isfinite(error) ? std::max(proof.worst, error) : std::numeric_limits<double>::infinity();
}

std::uint64_t& seed_shift() {
  static std::uint64_t shift = 0;
  return shift;
}

}  // namespace fraqat::tools
