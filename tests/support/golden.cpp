#include "tests/support/golden.hpp"

#include <filesystem>

#include "tests/support/npy.hpp"

namespace fraqat::test {

void as_pytorch(const std::string& name, const Function& f, double rtol, double atol) {
  INFO(name);
  ops_with(Proof::golden).insert(op_under_test());
  using std::filesystem::exists;
  const auto part = [&](const char* what, std::size_t i) {
    return name + '.' + what + std::to_string(i);
  };
  std::vector<Var> inputs;
  do {
    const std::size_t i = inputs.size();
    inputs.emplace_back(golden(part("x", i)), exists(golden_path(part("dx", i))));
  } while (exists(golden_path(part("x", inputs.size()))));
  Tape tape;
  const Var y = f(inputs);
  check_close(y.value(), golden(part("y", 0)), rtol, atol);
  tape.backward(op::sum(op::mul(y, Var(golden(part("dy", 0))))));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].wants_grad()) continue;
    INFO("gradient of input ", i);
    REQUIRE(inputs[i].grad());
    check_close(inputs[i].grad(), golden(part("dx", i)), rtol, atol);
  }
}

}  // namespace fraqat::test
