// The code of doctest, for every suite and for fraqat-gradcheck.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
