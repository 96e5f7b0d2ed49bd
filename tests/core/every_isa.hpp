#pragma once

#include <doctest/doctest.h>

#include <iostream>
#include <string>

#include "core/kernels/kernels.hpp"

namespace fraqat::test {

/// Calls check(table) for every instruction set there is; names those it skips.
template <class Check>
void on_every_isa(Check check) {
  for (const Isa isa : all_isas) {
    if (!supported(isa)) {
      std::cout << "SKIPPED: the " << name(isa) << " kernels, which this processor cannot run\n";
      continue;
    }
    INFO("instruction set ", std::string(name(isa)));
    check(kernels::table(isa));
  }
}

}  // namespace fraqat::test
