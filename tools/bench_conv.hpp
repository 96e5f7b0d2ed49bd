#pragma once

#include <string>

#include "core/real.hpp"

namespace fraqat::tools {

struct BenchConv {
  std::string network;  // all if empty
  Index batch = 128;
  int threads = 1;
  int repeats = 20;  // the least time counts
};

/// Times the convolutions of known networks, pass by pass, and prints a line each.
void run(const BenchConv& options);

}  // namespace fraqat::tools
