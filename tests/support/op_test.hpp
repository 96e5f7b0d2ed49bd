#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops.hpp"
#include "core/parallel.hpp"

/// What every op's test needs.  The files in tests/ops are built twice: with
/// float, and with double, where gradcheck is exact.
namespace fraqat::test {

/// Whether Real is double: gradients are compared with finite differences.
inline constexpr bool exact = sizeof(Real) == sizeof(double);

using Function = std::function<Var(std::span<const Var>)>;

/// Shapes that catch loops which assume too much: size 1 and odd tails.
inline const std::vector<Shape> odd_shapes = {
    Shape{},      Shape{1},       Shape{7},          Shape{1, 1},
    Shape{3, 17}, Shape{2, 3, 5}, Shape{1, 5, 1, 3}, Shape{2, 3, 1, 5, 2}};

/// Independent standard normal numbers, the same for the same seed.
Tensor normal(const Shape& shape, std::uint64_t seed = 1);
Tensor uniform(const Shape& shape, Real low, Real high, std::uint64_t seed = 1);

/// Distinct numbers, at least `gap` apart, in random order: no ties for a maximum.
Tensor distinct(const Shape& shape, std::uint64_t seed = 1, Real gap = Real(0.125));

/// `x` with every element at least 0.06 away from each kink, moved outwards.
Tensor away_from(std::initializer_list<Real> kinks, Tensor x);

std::vector<Real> numbers(const Tensor& tensor);

/// Compares the gradients of every input with central finite differences of
/// L = sum(w * f(x)), w fixed and random; each element of each input.  With
/// double: error <= 1e-8 + rtol |gradient|; with float a coarse check only.
/// Also runs f twice and wants the same bits.  Counts for the op that the test
/// case is named after: TEST_CASE("NAME: ...").  `checked` says which inputs are
/// compared (all, if empty).
void gradcheck(const Function& f, std::vector<Tensor> inputs, double rtol = 1e-6,
               std::vector<bool> checked = {});

/// The gradients that an op declares where finite differences have nothing to
/// say (straight-through estimators): one per input, empty where it has none.
using DeclaredGradient =
    std::function<std::vector<Tensor>(std::span<const Tensor> inputs, const Tensor& dy)>;

/// Compares the tape's gradients of L = sum(w * f(x)) with `declared` at dy = w.
/// With double: error <= 1e-10 + 1e-9 |gradient|; with float 1e-4 of either.
void surrogate_check(std::string_view op_name, const Function& f, const std::vector<Tensor>& inputs,
                     const DeclaredGradient& declared);

/// The op that the running test case is named after: TEST_CASE("NAME: ...").
std::string op_under_test();

/// Ops whose test has asked for a kind of proof, so that one can see which lacks it.
enum class Proof { golden, threads };
std::set<std::string>& ops_with(Proof proof);

/// Runs forward and backward with 1, 2, 3, 4, 7 and 16 threads and wants the same bits
/// of the result and of every gradient.
void same_bits_for_any_threads(const Function& f, const std::vector<Tensor>& inputs);

/// |a - b| <= atol + rtol |b| everywhere; shapes equal.
void check_close(const Tensor& a, const Tensor& b, double rtol, double atol);

}  // namespace fraqat::test
