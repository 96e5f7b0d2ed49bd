#include "tests/support/op_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <string>

#include "tools/proofs.hpp"

namespace fraqat::test {
namespace {

constexpr Real step = exact ? Real(1e-5) : Real(1.0 / 64);

Tensor loss_weights(const Shape& shape) { return uniform(shape, Real(0.5), Real(1.5), 99); }

double loss(const Function& f, const std::vector<Var>& inputs) {
  const Tensor y = f(inputs).value();
  const Tensor w = loss_weights(y.shape());
  double sum = 0;
  for (Index i = 0; i < y.size(); ++i) sum += double(y[i]) * double(w[i]);
  return sum;
}

struct Run {
  Tensor result;
  std::vector<Tensor> gradients;
};

Run run(const Function& f, const std::vector<Tensor>& inputs) {
  std::vector<Var> vars;
  for (const Tensor& input : inputs) vars.emplace_back(input.clone(), true);
  Tape tape;
  const Var y = f(vars);
  Run result{y.value(), {}};
  tape.backward(op::sum(op::mul(y, Var(loss_weights(y.shape())))));
  for (const Var& v : vars) result.gradients.push_back(v.grad());
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a || !b) return !a && !b;
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Real)) == 0;
}

void check_same(const Run& a, const Run& b, const char* what) {
  INFO(what);
  CHECK(same_bits(a.result, b.result));
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    INFO("gradient of input ", i);
    CHECK(same_bits(a.gradients[i], b.gradients[i]));
  }
}

}  // namespace

// "clip" in TEST_CASE("clip: both ends belong to the interval").
std::string op_under_test() {
  const std::string test = doctest::getContextOptions()->currentTest->m_name;
  return test.substr(0, test.find(':'));
}

std::set<std::string>& ops_with(Proof proof) {
  static std::map<Proof, std::set<std::string>> ops;
  return ops[proof];
}

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Tensor t(shape);
  fill_normal(t, Philox(seed + tools::seed_shift(), Stream::synthetic));
  return t;
}

Tensor uniform(const Shape& shape, Real low, Real high, std::uint64_t seed) {
  Tensor t(shape);
  fill_uniform(t, low, high, Philox(seed + tools::seed_shift(), Stream::synthetic));
  return t;
}

Tensor distinct(const Shape& shape, std::uint64_t seed, Real gap) {
  const Tensor order = uniform(shape, 0, 1, seed);
  std::vector<Index> index(static_cast<std::size_t>(order.size()));
  std::iota(index.begin(), index.end(), Index{0});
  std::sort(index.begin(), index.end(),
            [&](Index a, Index b) { return order[a] != order[b] ? order[a] < order[b] : a < b; });
  Tensor t(shape);
  for (std::size_t i = 0; i < index.size(); ++i)
    t[index[i]] = gap * (Real(i) - Real(index.size()) / 2 + Real(0.5));
  return t;
}

Tensor away_from(std::initializer_list<Real> kinks, Tensor x) {
  constexpr Real margin = Real(0.06);
  for (Real& v : x.span())
    for (const Real kink : kinks)
      if (std::abs(v - kink) < margin) v = v < kink ? kink - margin : kink + margin;
  return x;
}

std::vector<Real> numbers(const Tensor& tensor) {
  return {tensor.data(), tensor.data() + tensor.size()};
}

void gradcheck(const Function& f, std::vector<Tensor> inputs, double rtol,
               std::vector<bool> checked) {
  const Run once = run(f, inputs);
  check_same(once, run(f, inputs), "second run");
  std::vector<Var> vars;
  for (const Tensor& input : inputs) vars.emplace_back(input.clone());
  double scale = 1;  // of the gradients: float cannot resolve small ones among large
  for (const Tensor& g : once.gradients)
    for (Index i = 0; i < g.size(); ++i) scale = std::max(scale, std::abs(double(g[i])));
  const std::string op = op_under_test();
  Index compared = 0;
  for (std::size_t k = 0; k < vars.size(); ++k) {
    if (!checked.empty() && !checked[k]) continue;
    REQUIRE(once.gradients[k]);
    for (Index i = 0; i < vars[k].value().size(); ++i, ++compared) {
      Real& x = vars[k].value()[i];
      const Real kept = x;
      x = kept + step;
      const double above = loss(f, vars);
      x = kept - step;
      const double below = loss(f, vars);
      x = kept;
      const double numeric = (above - below) / (2 * double(step));
      const double analytic = double(once.gradients[k][i]);
      tools::compare(op, analytic, numeric);
      const double bound =
          exact ? 1e-8 + rtol * std::max(std::abs(numeric), std::abs(analytic)) : 0.03 * scale;
      if (!(std::abs(numeric - analytic) <= bound)) {
        INFO("input ", k, " of shape [", inputs[k].shape().rank(), " dims], element ", i);
        CHECK(analytic == doctest::Approx(numeric).epsilon(rtol));
        return;
      }
    }
  }
  CHECK(compared > 0);
}

void surrogate_check(std::string_view op_name, const Function& f, const std::vector<Tensor>& inputs,
                     const DeclaredGradient& declared) {
  const Run tape = run(f, inputs);
  check_same(tape, run(f, inputs), "second run");
  const std::vector<Tensor> expected = declared(inputs, loss_weights(tape.result.shape()));
  REQUIRE(expected.size() == inputs.size());
  Index compared = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    INFO("gradient of input ", k);
    if (!expected[k]) continue;
    REQUIRE(tape.gradients[k]);
    check_close(tape.gradients[k], expected[k], exact ? 1e-9 : 1e-4, exact ? 1e-10 : 1e-4);
    for (Index i = 0; i < expected[k].size(); ++i, ++compared)
      tools::compare(op_name, double(tape.gradients[k][i]), double(expected[k][i]));
  }
  CHECK(compared > 0);
}

void same_bits_for_any_threads(const Function& f, const std::vector<Tensor>& inputs) {
  ops_with(Proof::threads).insert(op_under_test());
  const int before = thread_count();
  set_thread_count(1);
  const Run one = run(f, inputs);
  for (const int threads : {2, 3, 4, 7, 16}) {
    set_thread_count(threads);
    const Run many = run(f, inputs);
    set_thread_count(before);
    check_same(one, many, (std::to_string(threads) + " threads").c_str());
  }
}

void check_close(const Tensor& a, const Tensor& b, double rtol, double atol) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  Index at = 0;
  for (Index i = 0; i < a.size(); ++i) {
    const double excess =
        std::abs(double(a[i]) - double(b[i])) - atol - rtol * std::abs(double(b[i]));
    if (!(excess <= worst)) {
      worst = excess;
      at = i;
    }
  }
  INFO("worst at element ", at, ": ", a.size() ? a[at] : 0, " against ", b.size() ? b[at] : 0);
  CHECK(worst <= 0);
}

}  // namespace fraqat::test
