#pragma once

#include <initializer_list>

#include "nn/module.hpp"
#include "tests/support/op_test.hpp"

/// A layer as a function of its inputs and of its parameters, which is what
/// gradcheck, as_pytorch and same_bits_for_any_threads take.
namespace fraqat::test {

/// f(x, parameters...) of the `inputs` first x and of the layer's parameters, in
/// order of visit: the layer gets them as its own.
Function with_parameters(nn::Module& layer, std::size_t inputs, const Function& f);

/// layer(x), its parameters behind x.
Function with_parameters(nn::Module& layer);

/// Normal inputs of these shapes, then numbers for the parameters of `layer`.
std::vector<Tensor> inputs_of(nn::Module& layer, std::initializer_list<Shape> shapes);

/// gradcheck and same_bits_for_any_threads, at inputs_of().
void check_layer(nn::Module& layer, std::initializer_list<Shape> shapes, const Function& f);

/// Adds a number, so that an output tells which slots it passed.
struct Offset final : nn::Transform {
  Real amount;
  explicit Offset(Real amount) : amount(amount) {}
  Var operator()(const Var& x) override { return op::add(x, Var(Tensor({1}, amount))); }
};

}  // namespace fraqat::test
