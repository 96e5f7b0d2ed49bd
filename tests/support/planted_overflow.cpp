#include <climits>

/// Undefined on purpose: the sanitizer build must stop here, or its silence
/// about the other suites would prove nothing.
int main(int count, char**) {
  const int above = INT_MAX + count;
  return above > 0;
}
