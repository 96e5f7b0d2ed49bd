#pragma once

#include <doctest/doctest.h>

#include <string>

#include "core/kernels/kernels.hpp"
#include "tests/support/skipped.hpp"

namespace fraqat::test {

/// Calls check(table) for every instruction set there is; names those it skips.
template <class Check>
void on_every_isa(Check check) {
  for (const Isa isa : all_isas) {
    if (!supported(isa)) {
      skipped(std::string(name(isa)) + " kernels", "this processor cannot run them");
      continue;
    }
    INFO("instruction set ", std::string(name(isa)));
    check(kernels::table(isa));
  }
}

}  // namespace fraqat::test
