#include <thread>

/// A race on purpose: the ThreadSanitizer build must find it, or its silence
/// about the other suites would prove nothing.
int main() {
  int counter = 0;
  const auto count = [&counter] {
    for (int i = 0; i < 1000; ++i) ++counter;
  };
  std::thread other(count);
  count();
  other.join();
  return counter < 0;
}
