// What most tests include, compiled once for all of them (see tools/precompiled.hpp).
#include <doctest/doctest.h>

#include "core/ops.hpp"
#include "tools/precompiled.hpp"
