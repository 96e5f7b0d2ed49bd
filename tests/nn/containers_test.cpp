#include "nn/containers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
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

// Says that it was given what is not rectified yet.
struct Rectifying final : nn::Transform {
  Var operator()(const Var& x) override { return x; }
  Var of_rectified(const Var& x) override {
    ++given;
    return op::relu(x);
  }
  Pooled pooled_of_rectified(const Var& x, const op::Pool2dOptions& pool) override {
    if (!pools) return {of_rectified(x)};
    ++pooled;
    return {op::relu_max_pool2d(x, pool), true};
  }
  Var of_normalised(const op::BatchNormInput& norm) override {
    ++normalised;
    return op::batch_norm(norm);
  }
  bool pools = true;
  int given = 0, pooled = 0, normalised = 0;
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

TEST_CASE("relu: what fills its slot may rectify, in a residual block, too") {
  const auto slot = std::make_shared<Rectifying>();
  nn::Relu relu;
  relu.output_q.fill(slot);
  CHECK(list(relu(Var(input)).value()) == std::vector<Real>{1, 0});
  nn::Residual block(std::make_unique<Shift>(Real(2)), nullptr);
  block.output_q.fill(slot);
  CHECK(list(block(Var(input)).value()) == std::vector<Real>{4, 0});
  CHECK(slot->given == 2);
}

TEST_CASE("sequential: what fills the slot behind batch norm, or relu after it, may do both") {
  const auto slot = std::make_shared<Rectifying>();
  nn::Sequential net;
  auto& norm = net.add(std::make_unique<nn::BatchNorm2d>(1));
  auto& relu = net.add(std::make_unique<nn::Relu>());
  const Var x(Tensor({1, 2, 2, 1}, std::array<Real, 4>{-1, 3, 2, -4}));
  const std::vector<Real> plain = list(net(x).value());
  relu.output_q.fill(slot);
  CHECK(list(net(x).value()) == plain);
  CHECK(slot->normalised == 1);
  {
    Tape tape(Tape::Records::graph);  // shows each
    CHECK(list(net(x).value()) == plain);
    CHECK(tape.nodes().size() == 2);
    CHECK(slot->normalised == 1);
  }
  relu.output_q.clear();
  norm.output_q.fill(slot);
  CHECK(list(net(x).value()) == plain);
  CHECK(slot->normalised == 2);
}

TEST_CASE("sequential: what fills the slot between relu and max pool may do both") {
  const auto slot = std::make_shared<Rectifying>();
  nn::Sequential net;
  net.add(std::make_unique<nn::Relu>()).output_q.fill(slot);
  net.add(std::make_unique<nn::MaxPool2d>());
  const Var x(Tensor({1, 2, 2, 1}, std::array<Real, 4>{-1, 3, 2, -4}));
  CHECK(list(net(x).value()) == std::vector<Real>{3});
  CHECK(slot->pooled == 1);
  slot->pools = false;  // then the pool does it
  CHECK(list(net(x).value()) == std::vector<Real>{3});
  CHECK(slot->given == 1);
  Tape tape(Tape::Records::graph);  // shows both
  slot->pools = true;
  CHECK(list(net(x).value()) == std::vector<Real>{3});
  CHECK(slot->pooled == 1);
  CHECK(slot->given == 2);
}

TEST_CASE("residual: gradients reach both ways") {
  nn::Residual net(std::make_unique<Shift>(Real(2)), nullptr);
  const Var x(input, true);
  Tape tape;
  tape.backward(op::sum(net(x)));
  CHECK(list(x.grad()) == std::vector<Real>{2, 0});  // relu is off at -8
}

namespace {

// Three modules that the containers join where they may, as small as can be.
std::unique_ptr<nn::Sequential> norm_relu_pool() {
  auto net = std::make_unique<nn::Sequential>();
  net->add(std::make_unique<nn::BatchNorm2d>(2), "norm");
  net->add(std::make_unique<nn::Relu>(), "relu");
  net->add(std::make_unique<nn::MaxPool2d>(), "pool");
  net->add(std::make_unique<nn::Relu>(), "again");
  net->add(std::make_unique<nn::MaxPool2d>(op::Pool2dOptions{1, 1, 0}), "one");
  auto body = std::make_unique<nn::Sequential>();
  body->add(std::make_unique<nn::BatchNorm2d>(2), "norm");
  net->add(std::make_unique<nn::Residual>(std::move(body), nullptr), "residual");
  nn::name_modules(*net);
  return net;
}

Tensor wave(const Shape& shape) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i) x[i] = Real((i * 37) % 19) - 9;
  return x;
}

std::vector<std::string> ops_of(nn::Module& net, Tape::Records records) {
  Tape tape(records);
  net(Var(wave({2, 4, 4, 2}), true));
  std::vector<std::string> all;
  for (const auto& node : tape.nodes())
    all.push_back(std::string(node->op()) + " " + std::string(node->layer()));
  return all;
}

}  // namespace

TEST_CASE("fusion: neighbours run as one, but a graph shows them apart") {
  const auto net = norm_relu_pool();
  CHECK(ops_of(*net, Tape::Records::gradients) ==
        std::vector<std::string>{"batch_norm norm", "max_pool2d pool", "max_pool2d one",
                                 "batch_norm residual.body.norm"});
  CHECK(ops_of(*net, Tape::Records::graph) ==
        std::vector<std::string>{"batch_norm norm", "relu relu", "max_pool2d pool", "relu again",
                                 "max_pool2d one", "batch_norm residual.body.norm",
                                 "add residual.add", "relu residual"});
}

TEST_CASE("fusion: the bits are the same, whatever slots are filled") {
  for (const char* name : {"", "norm.output_q", "again.output_q", "residual.body.norm.output_q",
                           "residual.add.output_q"}) {
    INFO(std::string(name));
    const auto net = norm_relu_pool();
    for (auto& [path, slot] : nn::slots(*net))
      if (path == name) slot->fill(std::make_shared<Double>());
    const Tensor x = wave({2, 4, 4, 2});
    const std::vector<Real> joined = list((*net)(Var(x)).value());
    const Tape graph(Tape::Records::graph);
    CHECK(list((*net)(Var(x)).value()) == joined);
  }
}

namespace {

// A convolution before each batch norm: of the net, of a block, and of its shortcut.
std::unique_ptr<nn::Sequential> convolutions_and_norms() {
  nn::Initializer init(3);
  const auto pair = [&](Index in, Index out) {
    auto net = std::make_unique<nn::Sequential>();
    net->add(std::make_unique<nn::Conv2d>(in, out, 3, init, op::Conv2dOptions{1, 1}), "conv");
    auto& norm = net->add(std::make_unique<nn::BatchNorm2d>(out), "norm");
    for (Index c = 0; c < out; ++c) norm.state.mean[c] = Real(c) / 3;
    return net;
  };
  auto net = pair(2, 3);
  net->add(std::make_unique<nn::Relu>(), "relu");
  net->add(std::make_unique<nn::Residual>(pair(3, 5), pair(3, 5)), "block");
  nn::name_modules(*net);
  return net;
}

struct Names final : Watch {
  explicit Names(bool each) : each(each) {}
  bool wants_each_op() const override { return each; }
  void forward_ended(std::string_view op, std::string_view layer, const Tensor&) override {
    all.push_back(std::string(op) + " " + std::string(layer));
  }
  void backward_ended(const Node&) override {}
  const bool each;
  std::vector<std::string> all;
};

void fill(nn::Module& net, std::string_view name) {
  for (const auto& [path, slot] : nn::slots(net))
    if (path == name) slot->fill(std::make_shared<Rectifying>());
}

}  // namespace

TEST_CASE("fusion: who wants to see each op sees it, under its own layer") {
  const auto net = convolutions_and_norms();
  fill(*net, "relu.output_q");
  fill(*net, "block.output_q");
  Names names(true);
  (*net)(Var(wave({2, 4, 4, 2})));
  CHECK(names.all ==
        std::vector<std::string>{"conv2d conv", "batch_norm norm", "relu relu",
                                 "conv2d block.shortcut.conv", "batch_norm block.shortcut.norm",
                                 "conv2d block.body.conv", "batch_norm block.body.norm",
                                 "add block.add", "relu block"});
}

TEST_CASE("fusion: what fills a slot gets batch norm unfinished, and the op keeps its layer") {
  const auto net = convolutions_and_norms();
  fill(*net, "relu.output_q");
  Names names(false);
  const TrainingStep step({1, 0, 0});
  (*net)(Var(wave({2, 4, 4, 2})));
  CHECK(names.all[1] == "batch_norm norm");
}

TEST_CASE("fusion: without a tape a convolution normalises its sums") {
  const auto net = convolutions_and_norms();
  Names names(false);
  (*net)(Var(wave({2, 4, 4, 2})));
  CHECK(names.all == std::vector<std::string>{"conv2d_batch_norm conv",
                                              "conv2d_batch_norm block.shortcut.conv",
                                              "conv2d_batch_norm block.body.conv"});
  names.all.clear();
  {
    const TrainingStep step({1, 0, 0});  // where the batch is to be normalised
    (*net)(Var(wave({2, 4, 4, 2})));
  }
  CHECK(names.all.size() == 6);
}

TEST_CASE("fusion: convolutions that normalise give the same bits, whatever slots are filled") {
  for (const char* name : {"", "conv.output_q", "conv.weight_q", "conv.input_q", "norm.output_q",
                           "relu.output_q", "block.body.conv.output_q", "block.add.output_q",
                           "block.shortcut.norm.output_q", "block.output_q"}) {
    INFO(std::string(name));
    const auto net = convolutions_and_norms();
    for (auto& [path, slot] : nn::slots(*net))
      if (path == name) slot->fill(std::make_shared<Double>());
    const Tensor x = wave({2, 4, 4, 2});
    const std::vector<Real> joined = list((*net)(Var(x)).value());
    const Tape graph(Tape::Records::graph);
    CHECK(list((*net)(Var(x)).value()) == joined);
  }
}

TEST_CASE("fusion: a slot that is filled keeps its neighbours apart") {
  const auto relus = [](const char* filled) {
    const auto net = norm_relu_pool();
    for (auto& [path, slot] : nn::slots(*net))
      if (path == filled) slot->fill(std::make_shared<Double>());
    const auto all = ops_of(*net, Tape::Records::gradients);
    return std::count_if(all.begin(), all.end(),
                         [](const std::string& op) { return op.starts_with("relu"); });
  };
  CHECK(relus("") == 0);
  CHECK(relus("norm.output_q") == 0);  // then the pool takes the relu
  CHECK(relus("again.output_q") == 1);
  CHECK(relus("residual.body.norm.output_q") == 1);
  CHECK(relus("residual.add.output_q") == 1);
}

}  // namespace fraqat::containers_test
