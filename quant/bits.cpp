#include "quant/bits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

Var one_hot(int count, int at) {
  Tensor p({count}, Real(0));
  p[at] = 1;
  return Var(p);
}

/// True while a policy may sample.
bool noisy() { return TrainingStep::current() && TrainingStep::current()->noise(); }

class FixedBits final : public BitPolicy {
 public:
  FixedBits(const Widths& widths, int bits) : bits_(bits), at_(widths.find(bits)) {
    check(at_ >= 0, "[quant] a fixed width must be a candidate: got ", bits, "; expected one of ",
          widths.lowest(), " to ", widths.highest());
    p_ = one_hot(widths.count(), at_);
  }

  std::string_view name() const override { return "fixed"; }
  Choice choose() override { return {p_, at_, at_ + 1}; }
  double bits() const override { return bits_; }
  int hard() const override { return at_; }

 private:
  int bits_, at_;
  Var p_;
};

std::array<double, Widths::most> softmax(std::span<const double> logits) {
  std::array<double, Widths::most> p{};
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (std::size_t j = 0; j < logits.size(); ++j) sum += p[j] = std::exp(logits[j] - largest);
  for (double& v : p) v /= sum;
  return p;
}

double mean_width(const Widths& widths, std::span<const double> logits) {
  const auto p = softmax(logits);
  double b = 0;
  for (int j = 0; j < widths.count(); ++j) b += p[static_cast<std::size_t>(j)] * widths[j];
  return b;
}

/// Logits of a normal distribution around `centre`, deviation 1.2 bits.
std::vector<double> bell(const Widths& widths, double centre) {
  std::vector<double> logits;
  for (int j = 0; j < widths.count(); ++j) {
    const double d = (widths[j] - centre) / 1.2;
    logits.push_back(-d * d / 2);
  }
  return logits;
}

void check_start(const Widths& widths, double initial) {
  check(widths.count() >= 2, "[quant] a learned width needs a choice: got one candidate, ",
        widths.lowest(), " bits; expected at least 2");
  check(initial >= widths.lowest() && initial <= widths.highest(),
        "[quant] starting width out of range: got ", initial, "; expected ", widths.lowest(),
        " to ", widths.highest());
}

}  // namespace

std::unique_ptr<BitPolicy> fixed_bits(const Widths& widths, int bits) {
  return std::make_unique<FixedBits>(widths, bits);
}

LogitBits::LogitBits(const Widths& widths, LogitsForward forward, double initial)
    : widths_(widths), forward_(forward) {
  check_start(widths, initial);
  // The mean of the bell rises with its centre: bisection.  At the very ends no
  // centre is far enough out; a quarter bit inside they can still move.
  const double goal = std::clamp(initial, widths.lowest() + 0.25, widths.highest() - 0.25);
  double low = widths.lowest() - 20.0, high = widths.highest() + 20.0;
  for (int i = 0; i < 60; ++i) {
    const double centre = (low + high) / 2;
    (mean_width(widths, bell(widths, centre)) < goal ? low : high) = centre;
  }
  Tensor logits({widths.count()});
  const std::vector<double> values = bell(widths, (low + high) / 2);
  for (int j = 0; j < widths.count(); ++j)
    logits[j] = static_cast<Real>(values[static_cast<std::size_t>(j)]);
  logits_ = Var(logits, true);
  for (int j = 0; j < widths.count(); ++j) one_hot_.push_back(one_hot(widths.count(), j));
}

std::string_view LogitBits::name() const {
  return forward_ == LogitsForward::argmax   ? "logits-argmax"
         : forward_ == LogitsForward::gumbel ? "logits-gumbel"
                                             : "logits-mixture";
}

BitPolicy::Choice LogitBits::choose() {
  if (!noisy()) return {one_hot_[static_cast<std::size_t>(hard())], hard(), hard() + 1};
  if (forward_ == LogitsForward::mixture) return {op::softmax(logits_), 0, widths_.count()};
  if (forward_ == LogitsForward::argmax)
    return {op::harden(op::softmax(logits_), hard()), 0, widths_.count()};
  // Gumbel noise makes the argmax a sample of softmax(logits); the gradient is
  // that of the relaxed sample at the temperature.  Draws are in (0, 1).
  TrainingStep& step = *TrainingStep::current();
  Tensor noise(logits_.shape());
  fill_uniform(noise, 0, 1, step.generator(Stream::bits), step.counter());
  for (Real& v : noise.span()) v = -std::log(-std::log(v));
  const Var cool(Tensor::scalar(static_cast<Real>(1 / temperature)));
  const Var sample = op::softmax(op::mul(op::add(logits_, Var(noise)), cool));
  const std::span<const Real> p = sample.value().span();
  return {op::harden(sample, std::max_element(p.begin(), p.end()) - p.begin()), 0, widths_.count()};
}

double LogitBits::bits() const {
  std::array<double, Widths::most> values{};
  std::copy_n(logits_.value().data(), widths_.count(), values.begin());
  return bits_of(std::span(values.data(), static_cast<std::size_t>(widths_.count())));
}

double LogitBits::bits_of(std::span<const double> values) const {
  return mean_width(widths_, values);
}

/// d(sum_j j p_j) / dl_i = p_i (width_i - b).
double LogitBits::slope(std::span<const double> values, std::size_t i) const {
  return softmax(values)[i] * (widths_[static_cast<int>(i)] - mean_width(widths_, values));
}

Var LogitBits::bits_on_tape() { return op::expected_width(op::softmax(logits_), widths_); }

int LogitBits::hard() const {
  const std::span<const Real> l = logits_.value().span();
  return static_cast<int>(std::max_element(l.begin(), l.end()) - l.begin());
}

StochasticBits::StochasticBits(const Widths& widths, double initial)
    : widths_(widths), bits_(Tensor({1}, static_cast<Real>(initial)), true) {
  check_start(widths, initial);
  for (int j = 0; j < widths.count(); ++j) one_hot_.push_back(one_hot(widths.count(), j));
}

BitPolicy::Choice StochasticBits::choose() {
  if (!noisy()) return {one_hot_[static_cast<std::size_t>(hard())], hard(), hard() + 1};
  const Var p = op::neighbour_weights(bits_, widths_);
  TrainingStep& step = *TrainingStep::current();
  const float coin = uniform(step.generator(Stream::bits)(step.counter().words())[0]);
  int below = 0;  // as neighbour_weights counts: a width met exactly has itself below
  while (below + 2 < widths_.count() && Real(widths_[below + 1]) <= bits_.value()[0]) ++below;
  const bool above = Real(coin) < p.value()[below + 1];
  return {op::harden(p, below + above), below, below + 2};
}

double StochasticBits::bits() const { return static_cast<double>(bits_.value()[0]); }

double StochasticBits::bits_of(std::span<const double> values) const {
  return std::clamp<double>(values[0], widths_.lowest(), widths_.highest());
}

int StochasticBits::hard() const {
  int nearest = 0;
  for (int j = 1; j < widths_.count(); ++j)
    if (std::abs(widths_[j] - bits()) < std::abs(widths_[nearest] - bits())) nearest = j;
  return nearest;
}

void StochasticBits::project() {
  Real& b = bits_.value()[0];
  b = std::clamp(b, Real(widths_.lowest()), Real(widths_.highest()));
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
