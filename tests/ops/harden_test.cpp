#include "tests/support/op_test.hpp"
