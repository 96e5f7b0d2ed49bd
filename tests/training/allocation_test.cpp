#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <vector>

#include "core/parallel.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"
#include "optim/optimizer.hpp"

// No step of steady training asks the system for memory: every way to do so is
// replaced for the whole program, BLAS and all threads included, and counted.
namespace {

std::atomic<long> calls{0};

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  ++calls;
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
  ++calls;
  return __libc_calloc(count, bytes);
}

void* realloc(void* block, std::size_t bytes) {
  ++calls;
  return __libc_realloc(block, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++calls;
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  ++calls;
  *block = __libc_memalign(alignment, bytes);
  return *block ? 0 : ENOMEM;
}
}

void* operator new(std::size_t bytes) {
  ++calls;
  if (void* block = __libc_malloc(bytes)) return block;
  throw std::bad_alloc();
}

// Not inlined, or the compiler sees what operator new returned go to free().
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

using namespace fraqat;

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

void* volatile planted;  // volatile: the compiler may not leave the allocation out

template <class F>
long calls_during(F f) {
  const long before = calls;
  f();
  return calls - before;
}

}  // namespace

TEST_CASE("allocations: planted ones are seen, on any thread") {
  const auto plant = [](auto allocate) {
    return calls_during([&] {
      planted = allocate();
      std::free(planted);
    });
  };
  CHECK(plant([] { return std::malloc(64); }) == 1);
  CHECK(plant([] { return std::calloc(4, 16); }) == 1);
  CHECK(plant([] { return std::aligned_alloc(64, 64); }) == 1);
  CHECK(plant([] { return ::operator new(64); }) == 1);
  CHECK(calls_during([] {
          std::vector<int> numbers(1000);
          planted = numbers.data();
        }) == 1);
  const int threads = thread_count();
  set_thread_count(2);
  parallel_for(16, [](Index) {});  // starts the threads
  CHECK(calls_during([] {
          parallel_for(16, [](Index) { std::free(std::malloc(1000 + (planted != nullptr))); });
        }) >= 1);
  set_thread_count(threads);
}

TEST_CASE("allocations: none in steps 10 to 20 of training") {
  const int before = thread_count();
  for (const int threads : {1, 2, 3}) {
    set_thread_count(threads);
    Training training;
    for (std::uint32_t i = 0; i < 10; ++i) training.step(i);
    CHECK(calls_during([&] {
            for (std::uint32_t i = 10; i <= 20; ++i) training.step(i);
          }) == 0);
  }
  set_thread_count(before);
}
