#include "nn/containers.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "nn/layers.hpp"

namespace fraqat::containers_test {
namespace {

// x + amount.
class Shift final : public nn::Module {
 public:
  explicit Shift(Real amount) : amount_(amount) {}
  Var forward(const Var& x) override { return op::add(x, Var(Tensor({1}, amount_))); }
  void visit(nn::Visitor&) override {}
  std::string_view kind() const override { return "Shift"; }

 private:
  Real amount_;
};

struct Double final : nn::Transform {
  Var operator()(const Var& x) override { return op::add(x, x); }
};

const Tensor input({1, 2}, std::array<Real, 2>{1, -5});

std::vector<Real> list(const Tensor& t) { return {t.data(), t.data() + t.size()}; }

std::vector<std::string> paths(nn::Module& root) {
  std::vector<std::string> all;
  for (const auto& [name, module] : nn::modules(root)) all.push_back(name);
  return all;
}

}  // namespace

TEST_CASE("sequential: one after the other, named by position or as told") {
  nn::Sequential empty;
  const Var x(input);
  CHECK(empty(x).id() == x.id());
  nn::Sequential net;
  net.add(std::make_unique<Shift>(Real(4)));
  net.add(std::make_unique<nn::Relu>(), "act");
  net.add(std::make_unique<Shift>(Real(-1)));
  CHECK(list(net(x).value()) == std::vector<Real>{4, -1});
  CHECK(paths(net) == std::vector<std::string>{"", "0", "act", "2"});
}

TEST_CASE("add: the sum, through its slot, under its path") {
  nn::Add add;
  add.set_path("block.add");
  Tape tape(Tape::Records::graph);
  const Var x(input);
  CHECK(list(add(x, x).value()) == std::vector<Real>{2, -10});
  CHECK(tape.nodes()[0]->layer() == "block.add");
  add.output_q.fill(std::make_shared<Double>());
  CHECK(list(add(x, x).value()) == std::vector<Real>{4, -20});
}

TEST_CASE("residual: relu(body + shortcut), the identity where there is none") {
  nn::Residual plain(std::make_unique<Shift>(Real(2)), nullptr);
  CHECK(list(plain(Var(input)).value()) == std::vector<Real>{4, 0});
  nn::Residual with(std::make_unique<Shift>(Real(2)), std::make_unique<Shift>(Real(9)));
  CHECK(list(with(Var(input)).value()) == std::vector<Real>{13, 1});
  with.output_q.fill(std::make_shared<Double>());
  CHECK(list(with(Var(input)).value()) == std::vector<Real>{26, 2});
  CHECK(paths(plain) == std::vector<std::string>{"", "body", "add"});
  CHECK(paths(with) == std::vector<std::string>{"", "body", "shortcut", "add"});
}

TEST_CASE("residual: gradients reach both ways") {
  nn::Residual net(std::make_unique<Shift>(Real(2)), nullptr);
  const Var x(input, true);
  Tape tape;
  tape.backward(op::sum(net(x)));
  CHECK(list(x.grad()) == std::vector<Real>{2, 0});  // relu is off at -8
}

}  // namespace fraqat::containers_test
