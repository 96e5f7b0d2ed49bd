#include <doctest/doctest.h>

#include <cstdlib>
#include <vector>

#include "core/parallel.hpp"
#include "nn/attention.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"
#include "nn/recurrent.hpp"
#include "optim/weight_average.hpp"
#include "tests/optim/makers.hpp"
#include "tests/support/allocations.hpp"

namespace fraqat::allocation_test {

// No step of steady training asks the system for memory.

namespace {

// A bit of everything that LeNet-5 and its relatives are made of.
void build(nn::Sequential& net) {
  nn::Initializer init(0);
  op::Conv2dOptions padded, grouped;
  padded.padding = 2;
  grouped.padding = 1;
  grouped.groups = 2;
  net.add(std::make_unique<nn::Conv2d>(1, 6, 5, init, padded));
  net.add(std::make_unique<nn::Relu>());
  net.add(std::make_unique<nn::MaxPool2d>());
  net.add(std::make_unique<nn::Conv2d>(6, 16, 5, init));
  net.add(std::make_unique<nn::BatchNorm2d>(16));
  net.add(std::make_unique<nn::Relu>());
  net.add(std::make_unique<nn::MaxPool2d>());
  net.add(std::make_unique<nn::Conv2d>(16, 32, 3, init, grouped));
  net.add(std::make_unique<nn::Conv2d>(32, 16, 3, init, op::Conv2dOptions{1, 1, 1, 1}));
  net.add(std::make_unique<nn::Flatten>());
  net.add(std::make_unique<nn::Linear>(400, 120, init));
  net.add(std::make_unique<nn::Relu>());
  net.add(std::make_unique<nn::Dropout>(Real(0.2)));
  net.add(std::make_unique<nn::Linear>(120, 10, init));
  nn::name_modules(net);
}

class Training {
 public:
  Training() : labels_({batch}) {
    build(net_);
    Tensor images({batch, 28, 28, 1});
    fill_normal(images, Philox(0, Stream::synthetic));
    images_ = Var(images);
    for (Index i = 0; i < batch; ++i) labels_[i] = Real(i % 10);
    optim::ParameterGroup group;
    for (const auto& parameter : nn::parameters(net_)) group.parameters.push_back(*parameter.item);
    group.weight_decay = 5e-4;
    optimizer_ = std::make_unique<optim::Sgd>(std::vector{group}, optim::SgdOptions{0.9});
  }

  void step(std::uint32_t number) {
    TrainingStep position({0, 0, number});
    optimizer_->clear_gradients();
    Tape tape;
    tape.backward(op::softmax_cross_entropy(net_(images_), labels_));
    optimizer_->step(1e-3);
  }

 private:
  static constexpr Index batch = 37;

  nn::Sequential net_;
  Var images_;
  Tensor labels_;
  std::unique_ptr<optim::Optimizer> optimizer_;
};

// Forward and backward of the operators that the network above does without.
class Operators {
 public:
  void step() {
    Tape tape;
    Var sum = op::add(op::add(moved(), products()), op::add(normalised(), losses()));
    tape.backward(op::add(op::add(sum, convolved()), layers()));
  }

 private:
  static Var input(const Shape& shape) {
    Tensor t(shape);
    fill_normal(t, Philox(0, Stream::synthetic));
    return Var(t, true);
  }

  Var moved() const {
    const Vars halves = op::split(images_, 2, 1);
    const Var joined = op::concat({halves[1], halves[0], images_}, 1);
    const Var turned = op::transpose(op::pad(joined, {{}, {1, 0}, {}, {0, 2}}), 1, 2);
    return op::mean(op::gather(turned, rows_, 1));
  }

  Var products() const {
    const Var scores = op::matmul(words_, words_, {false, true});
    return op::mean(op::matmul(scores, words_));
  }

  Var normalised() const {
    const Var pooled = op::adaptive_avg_pool2d(op::group_norm(images_, 2, scale_, scale_), 3, 3);
    return op::mean(op::layer_norm(pooled, scale_, scale_));
  }

  Var losses() const {
    const Tensor targets = op::softmax(Var(words_.value())).value();
    const Var sum = op::add(op::mse_loss(words_, targets), op::huber_loss(words_, targets));
    return op::add(sum, op::kl_div(op::log_softmax(words_), targets));
  }

  Var convolved() const {
    const op::Conv2dOptions depthwise{1, 1, 1, 4}, dilated{1, 2, 2, 1};
    const Var filtered = op::conv2d(images_, taps_, {}, depthwise);
    const Var wide = op::conv2d(filtered, window_, {}, dilated);
    const Var large = op::conv_transpose2d(wide, window_);
    return op::mean(op::where(mask_, op::avg_pool2d(large), op::silu(op::avg_pool2d(large))));
  }

  Var layers() {
    const Var state = lstm_(words_);
    return op::add(op::mean(encoder_(words_)), op::add(op::mean(state), op::mean(gru_(words_))));
  }

  nn::Initializer init_{1};
  nn::TransformerEncoderLayer encoder_{16, 4, 32, init_};
  nn::Recurrent<nn::LstmCell> lstm_{16, 8, init_};
  nn::Recurrent<nn::GruCell> gru_{16, 8, init_};
  Var taps_ = input({4, 3, 3, 1}), window_ = input({4, 3, 3, 4});
  Tensor mask_ = Tensor({4}, Real(1));
  Var images_ = input({9, 6, 6, 4}), words_ = input({5, 7, 16}), scale_ = input({4});
  Tensor rows_ = Tensor({3}, Real(2));
};

void* volatile planted;  // volatile: the compiler may not leave the allocation out

}  // namespace

TEST_CASE("allocations: planted ones are seen, on any thread") {
  const auto plant = [](auto allocate) {
    return test::allocations_during([&] {
      planted = allocate();
      std::free(planted);
    });
  };
  CHECK(plant([] { return std::malloc(64); }) == 1);
  CHECK(plant([] { return std::calloc(4, 16); }) == 1);
  CHECK(plant([] { return std::aligned_alloc(64, 64); }) == 1);
  CHECK(plant([] { return ::operator new(64); }) == 1);
  CHECK(test::allocations_during([] {
          std::vector<int> numbers(1000);
          planted = numbers.data();
        }) == 1);
  const int threads = thread_count();
  set_thread_count(2);
  parallel_for(16, [](Index) {});  // starts the threads
  CHECK(test::allocations_during([] {
          parallel_for(16, [](Index) {
            void* volatile block = std::malloc(1000);
            std::free(block);
          });
        }) >= 1);
  set_thread_count(threads);
}

TEST_CASE("allocations: none in further operators") {
  const int before = thread_count();
  for (const int threads : {1, 2, 3}) {
    set_thread_count(threads);
    Operators operators;
    for (int i = 0; i < 10; ++i) operators.step();
    CHECK(test::allocations_during([&] {
            for (int i = 0; i < 10; ++i) operators.step();
          }) == 0);
  }
  set_thread_count(before);
}

TEST_CASE("allocations: none in steps 10 to 20 of training") {
  const int before = thread_count();
  for (const int threads : {1, 2, 3}) {
    set_thread_count(threads);
    Training training;
    for (std::uint32_t i = 0; i < 10; ++i) training.step(i);
    CHECK(test::allocations_during([&] {
            for (std::uint32_t i = 10; i <= 20; ++i) training.step(i);
          }) == 0);
  }
  set_thread_count(before);
}

TEST_CASE("allocations: none in the steps of any optimizer, nor of the average") {
  Var w(Tensor({100003}, 1.0f), true);
  for (const test::Make& make : test::all_kinds) {
    const auto optimizer = make({{{w}}});
    optim::WeightAverage average({w});
    const auto step = [&] {
      w.grad() = Tensor(w.shape(), 0.5f);
      optim::clip_gradients_by_norm(optimizer->groups(), 1);
      optimizer->step(1e-3);
      average.update();
      const optim::Averaged inside(average);
    };
    for (int i = 0; i < 2; ++i) step();  // a new gradient and the one it replaces
    INFO(optimizer->kind());
    CHECK(test::allocations_during([&] {
            for (int i = 0; i < 5; ++i) step();
          }) == 0);
  }
}

}  // namespace fraqat::allocation_test
