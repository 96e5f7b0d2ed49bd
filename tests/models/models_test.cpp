#include "models/models.hpp"

#include <doctest/doctest.h>

#include "core/error.hpp"

namespace fraqat::models_test {
namespace {

Index parameters(const char* name, const Shape& sample) {
  const auto model = models::make(name, sample, 10, 1);
  Index count = 0;
  for (const auto& [path, parameter] : nn::parameters(*model)) count += parameter->value().size();
  return count;
}

}  // namespace

TEST_CASE("models: as many parameters as published") {
  const Shape mnist{28, 28, 1}, cifar{32, 32, 3};
  CHECK(parameters("mlp", mnist) == 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
  CHECK(parameters("lenet5", mnist) == 61706);
  CHECK(parameters("cnn-32-64", mnist) == 320 + 18496 + 3136 * 128 + 128 + 1290);
  CHECK(parameters("resnet20", cifar) == 269722);
  CHECK(parameters("resnet32", cifar) == 464154);
  CHECK(parameters("resnet44", cifar) == 658586);
  CHECK(parameters("resnet56", cifar) == 853018);
  // A projection of 16 to 32 channels, one of 32 to 64, and their batch norms.
  constexpr Index projections = 16 * 32 + 64 + 32 * 64 + 128;
  CHECK(parameters("resnet20-b", cifar) == 269722 + projections);
  CHECK(parameters("resnet56-b", cifar) == 853018 + projections);
}

TEST_CASE("models: every name is built, for images of any size") {
  for (const std::string& name : models::names())
    for (const Shape& sample : {Shape{28, 28, 1}, Shape{17, 13, 3}}) {
      CAPTURE(name);
      const auto model = models::make(name, sample, 7, 1);
      Tensor x({2, sample[0], sample[1], sample[2]});
      fill_normal(x, Philox(1, Stream::synthetic));
      CHECK((*model)(Var(x)).shape() == Shape{2, 7});
    }
  CHECK_THROWS_WITH_AS(models::make("resnet21", {32, 32, 3}, 10, 1),
                       doctest::Contains("got \"resnet21\"; expected one of mlp, lenet5"), Error);
  CHECK_THROWS_WITH_AS(models::make("cnn-32-64", {3, 3, 1}, 10, 1),
                       "[models] cnn-32-64 needs images of 4 x 4 or more: got 3 x 3", Error);
}

TEST_CASE("models: resnet20 is what the paper says") {
  const auto model = models::make("resnet20", {32, 32, 3}, 10, 1);
  Tape tape(Tape::Records::graph);
  (*model)(Var(Tensor({1, 32, 32, 3}, 0.5f)));
  int convolutions = 0, adds = 0;
  Shape last;
  for (const auto& node : tape.nodes()) {
    convolutions += node->op() == "conv2d";
    adds += node->op() == "add";
    if (node->op() == "conv2d") last = node->output().shape();
  }
  CHECK(convolutions == 19);
  CHECK(adds == 9);
  CHECK(last == Shape{1, 8, 8, 64});
}

}  // namespace fraqat::models_test
