#include "core/watch.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/ops.hpp"

namespace fraqat::watch_test {
namespace {

Var three(Real a, Real b, Real c) { return Var(Tensor({3}, std::array<Real, 3>{a, b, c}), true); }

/// sum(exp(x) * exp(x)), backwards, too.
void square_of_exp(const Var& x) {
  const LayerScope layer("block.conv");
  Tape tape;
  const Var y = op::exp(x);
  tape.backward(op::sum(op::mul(y, y)));
}

}  // namespace

TEST_CASE("watch: a profile counts every op, forward and backward") {
  Profile profile;
  square_of_exp(three(0, 1, 2));
  CHECK(profile.lines().size() == 3);
  for (const char* op : {"exp", "mul", "sum"}) {
    CAPTURE(std::string(op));
    const Profile::Line& line = profile.lines().find(op)->second;
    CHECK(line.forward.calls == 1);
    CHECK(line.backward.calls == 1);
    CHECK(line.forward.seconds >= 0);
  }
  CHECK(profile.seconds() > 0);
}

TEST_CASE("watch: a trace tells results as they come and gradients on the way back") {
  Trace trace;
  Var x = three(0, 1, -1);
  x.set_name("weight");
  square_of_exp(x);
  std::vector<std::string> seen;
  for (const Trace::Line& line : trace.lines()) {
    seen.push_back(line.op + ": " + line.what);
    CHECK(line.layer == "block.conv");
  }
  CHECK(seen == std::vector<std::string>{"exp: output", "mul: output", "sum: output",
                                         "sum: gradient", "mul: gradient", "mul: gradient",
                                         "exp: gradient of weight"});
  const Summary& first = trace.lines().front().summary;
  CHECK(first.low == doctest::Approx(std::exp(-1.0)));
  CHECK(first.high == doctest::Approx(std::exp(1.0)));
  CHECK(first.mean == doctest::Approx((1 + std::exp(1.0) + std::exp(-1.0)) / 3));
  CHECK(first.numbers == 3);
  CHECK(first.bad == 0);
}

TEST_CASE("watch: a summary leaves out what is not finite, and counts it") {
  constexpr Real inf = std::numeric_limits<Real>::infinity();
  const Summary s = summary_of(Tensor({4}, std::array<Real, 4>{inf, -2, 4, Real(inf - inf)}));
  CHECK(s.low == -2);
  CHECK(s.high == 4);
  CHECK(s.mean == 1);
  CHECK(s.bad == 2);
  CHECK(all_finite(Tensor({2}, Real(1e38))));
  CHECK_FALSE(all_finite(Tensor({2}, inf)));
  CHECK_FALSE(all_finite(Tensor({2}, inf - inf)));
  CHECK(all_finite(Tensor()));
}

TEST_CASE("watch: the first number that is none is named by op, layer and place") {
  FirstBad first;
  square_of_exp(three(0, 50, 0));  // exp(50) is finite, its square is not in float
  CHECK(first.text() == "the output of mul in layer block.conv, element 1 of [3] is inf");
}

TEST_CASE("watch: only a gradient may be at fault, and only the innermost watch is told") {
  FirstBad first;
  {
    Profile inner;
    square_of_exp(three(0, 50, 0));
    CHECK(inner.lines().size() == 3);
  }
  CHECK(first.text().empty());
  Tape tape;
  const Var x = three(0, 1, 4);
  const Var y = op::sqrt(x);  // d sqrt(0) = inf
  CHECK(first.text().empty());
  tape.backward(op::sum(y));
  CHECK(first.text() == "a gradient that came from sqrt, element 0 of [3] is inf");
}

}  // namespace fraqat::watch_test
