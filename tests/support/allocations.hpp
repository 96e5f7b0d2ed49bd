#pragma once

namespace fraqat::test {

/// Every way to ask the system for memory (malloc and its relatives, operator
/// new) is replaced for the whole program, BLAS and all threads included, and
/// counted: how often so far.
long allocations();

template <class F>
long allocations_during(F f) {
  const long before = allocations();
  f();
  return allocations() - before;
}

}  // namespace fraqat::test
