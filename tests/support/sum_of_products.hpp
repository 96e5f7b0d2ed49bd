#pragma once

#include "nn/layers.hpp"
#include "nn/pairs.hpp"

namespace fraqat::test {

/// The smallest network with an add of two tensors that a product reads again:
/// x [8] -> a = fc1(x) [16] -> b = fc2(a) [16] -> a + b -> fc3 -> 4 numbers.
struct SumOfProducts final : nn::Module {
  Var forward(const Var& x) override {
    const Var a = fc1(x);
    return fc3(add(a, fc2(a)));
  }
  void visit(nn::Visitor& v) override {
    v.child("fc1", fc1);
    v.child("fc2", fc2);
    v.child("add", add);
    v.child("fc3", fc3);
  }
  std::string_view kind() const override { return "SumOfProducts"; }

  nn::Initializer init{1};
  nn::Linear fc1{8, 16, init}, fc2{16, 16, init}, fc3{16, 4, init};
  nn::Add add;
};

}  // namespace fraqat::test
