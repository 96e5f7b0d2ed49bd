#include <algorithm>
#include <cmath>

#include "quant/bits_shared.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr double spread = 1.2;   // deviation of the bell, in mean distances of the candidates
constexpr double margin = 0.25;  // a start at an end is that far inside
constexpr double beyond = 4;     // so many deviations from the ends the bell's centre may go

/// The least parameter x in [low, high] with f(x) >= goal, f rising: bisection.
template <class F>
double solve(double low, double high, double goal, F&& f) {
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (f(middle) < goal ? low : high) = middle;
  }
  return (low + high) / 2;
}

double mean_distance(const Widths& widths) {
  const double gaps = std::max(1, widths.count() - 1);
  return (widths.highest() - widths.lowest()) / gaps;
}

/// The position of the largest number in a row of p[J] or p[R, J].
int largest(const Tensor& p, Index row) {
  const Real* first = p.data() + row * p.dim(-1);
  return static_cast<int>(std::max_element(first, first + p.dim(-1)) - first);
}

}  // namespace

LogitBits::LogitBits(const Widths& widths, LogitsForward forward,
                     const std::vector<double>& initial, LogitsForm form)
    : widths_(widths),
      forward_(forward),
      form_(LogitsForm::bell),
      deviation_(spread * mean_distance(widths)),
      rows_(std::ssize(initial)),
      one_hot_(one_hot_weights(widths)) {
  const Index count = widths.count();
  Tensor positions({count}), centres({rows_, 1}), logits({rows_, count});
  for (int j = 0; j < widths.count(); ++j) positions[j] = static_cast<Real>(widths[j]);
  for (Index row = 0; row < rows_; ++row) {
    const double centre = centre_of(initial[static_cast<std::size_t>(row)]);
    centres[row] = static_cast<Real>(centre);
    const Numbers bell = logits_of({&centre, 1});
    for (Index j = 0; j < count; ++j)
      logits[row * count + j] = static_cast<Real>(bell[static_cast<std::size_t>(j)]);
  }
  positions_ = Var(positions);
  form_ = form;
  Tensor start = form == LogitsForm::bell ? centres : logits;
  if (rows_ == 1) start = start.reshape({start.size()});
  parameter_ = Var(start, true);
}

/// The mean of the bell rises with its centre: bisection.  At the very ends no
/// centre is far enough out; a quarter bit inside they can still move.
double LogitBits::centre_of(double bits) const {
  check_start(widths_, bits);
  const double goal = std::clamp(bits, widths_.lowest() + margin, widths_.highest() - margin);
  return solve(widths_.lowest() - 20.0, widths_.highest() + 20.0, goal, [&](double c) {
    return mean_of({&c, 1});
  });
}

std::string_view LogitBits::name() const {
  const bool bell = form_ == LogitsForm::bell;
  if (forward_ == LogitsForward::argmax) return bell ? "bell-argmax" : "logits-argmax";
  if (forward_ == LogitsForward::gumbel) return bell ? "bell-gumbel" : "logits-gumbel";
  if (forward_ == LogitsForward::gumbel_soft)
    return bell ? "bell-gumbel-soft" : "logits-gumbel-soft";
  return bell ? "bell-mixture" : "logits-mixture";
}

void LogitBits::visit(nn::Visitor& visitor) {
  visitor.parameter(form_ == LogitsForm::bell ? "centre" : "logits", parameter_);
}

/// What logits are multiplied by before the softmax that is p.
double LogitBits::cooling() const {
  return forward_ == LogitsForward::mixture ? 1 / temperature_ : 1;
}

/// p is their softmax.
Var LogitBits::cool_logits() const {
  Var logits = parameter_;
  double factor = cooling();
  if (form_ == LogitsForm::bell) {
    const Var away = op::sub(positions_, parameter_);
    logits = op::mul(away, away);
    factor *= -1 / (2 * deviation_ * deviation_);
  }
  if (factor == 1) return logits;
  return op::mul(logits, Var(Tensor::scalar(static_cast<Real>(factor))));
}

BitPolicy::Choice LogitBits::choose() {
  if (!may_sample()) return hard_choice(*this, one_hot_);
  const Var logits = cool_logits();
  const int count = widths_.count();
  if (forward_ == LogitsForward::mixture) return {op::softmax(logits), 0, count};
  const Var p = forward_ == LogitsForward::argmax ? op::softmax(logits) : sampled(logits);
  if (forward_ == LogitsForward::gumbel_soft) return {p, 0, count};
  if (rows_ > 1) {
    const auto at = [&](Index row) { return largest(p.value(), row); };
    return {op::harden(p, of_rows(rows_, at)), 0, count};
  }
  const int at = forward_ == LogitsForward::argmax ? hard() : largest(p.value(), 0);
  return {op::harden(p, at), 0, count};
}

/// Gumbel noise makes the argmax a sample of softmax(logits); the gradient is
/// that of the relaxed sample at the temperature.  Draws are in (0, 1).
Var LogitBits::sampled(const Var& logits) const {
  TrainingStep& step = *TrainingStep::current();
  Tensor noise(logits.shape());
  fill_uniform(noise, 0, 1, step.generator(Stream::bits), step.counter());
  for (Real& v : noise.span()) v = -std::log(-std::log(v));
  const Var cool(Tensor::scalar(static_cast<Real>(1 / temperature_)));
  return op::softmax(op::mul(op::add(logits, Var(noise)), cool));
}

LogitBits::Numbers LogitBits::values(Index row) const {
  Numbers values{};
  const auto count = static_cast<Index>(size());
  std::copy_n(parameter_.value().data() + row * count, count, values.begin());
  return values;
}

LogitBits::Numbers LogitBits::logits_of(std::span<const double> values) const {
  Numbers logits{};
  if (form_ == LogitsForm::free) std::copy(values.begin(), values.end(), logits.begin());
  for (int j = 0; form_ == LogitsForm::bell && j < widths_.count(); ++j) {
    const double away = (widths_[j] - values[0]) / deviation_;
    logits[static_cast<std::size_t>(j)] = -away * away / 2;
  }
  return logits;
}

LogitBits::Numbers LogitBits::p_of(std::span<const double> values) const {
  const Numbers logits = logits_of(values);
  const auto count = static_cast<std::size_t>(widths_.count());
  const double largest = *std::max_element(logits.begin(), logits.begin() + widths_.count());
  Numbers p{};
  double sum = 0;
  for (std::size_t j = 0; j < count; ++j) sum += p[j] = std::exp((logits[j] - largest) * cooling());
  for (double& v : p) v /= sum;
  return p;
}

double LogitBits::mean_of(std::span<const double> values) const {
  const Numbers p = p_of(values);
  double b = 0;
  for (int j = 0; j < widths_.count(); ++j) b += p[static_cast<std::size_t>(j)] * widths_[j];
  return b;
}

double LogitBits::bits(Index row) const {
  const Numbers now = values(row);
  return mean_of({now.data(), size()});
}

double LogitBits::bits_of(std::span<const double> values) const {
  return std::min(mean_of(values), std::max(widest_, widths_.lowest() + margin));
}

/// db/dl_i = p_i (width_i - b) / temperature, and with dl_j/dc = (width_j - c) / deviation^2
/// db/dc = variance(p) / (deviation^2 temperature).
double LogitBits::slope(std::span<const double> values, std::size_t i) const {
  const Numbers p = p_of(values);
  const double b = mean_of(values);
  if (form_ == LogitsForm::free) return p[i] * (widths_[static_cast<int>(i)] - b) * cooling();
  double variance = 0;
  for (int j = 0; j < widths_.count(); ++j)
    variance += p[static_cast<std::size_t>(j)] * (widths_[j] - b) * (widths_[j] - b);
  return variance / (deviation_ * deviation_) * cooling();
}

Var LogitBits::bits_on_tape() { return op::expected_width(op::softmax(cool_logits()), widths_); }

Var LogitBits::entropy_on_tape() {
  const Var logits = cool_logits();
  return op::neg(op::sum(op::mul(op::softmax(logits), op::log_softmax(logits))));
}

int LogitBits::hard(Index row) const {
  const Numbers now = values(row);
  const Numbers logits = logits_of({now.data(), size()});
  const auto end = logits.begin() + widths_.count();
  return static_cast<int>(std::max_element(logits.begin(), end) - logits.begin());
}

/// p_j becomes proportional to p_j e^(-way width_j): of all distributions with the
/// smaller mean the nearest to p.  A bell stays one.
void LogitBits::shift(std::span<double> values, double way) const {
  if (form_ == LogitsForm::bell) {
    values[0] -= way * deviation_ * deviation_;
    return;
  }
  for (int j = 0; j < widths_.count(); ++j) values[static_cast<std::size_t>(j)] -= way * widths_[j];
}

void LogitBits::project() {
  for (Index row = 0; row < rows_; ++row) project(row);
}

void LogitBits::project(Index row) {
  Numbers now = values(row);
  const std::span<double> all(now.data(), size());
  if (form_ == LogitsForm::bell)
    all[0] = std::clamp(all[0], widths_.lowest() - beyond * deviation_,
                        widths_.highest() + beyond * deviation_);
  const double widest = std::max(widest_, widths_.lowest() + margin);
  if (mean_of(all) > widest) {
    const Numbers wide = now;
    const auto shifted = [&](double way) {
      now = wide;
      shift(all, way);
      return -mean_of(all);
    };
    shifted(solve(0, 20, -widest, shifted));
  }
  std::transform(all.begin(), all.end(),
                 parameter_.value().data() + row * static_cast<Index>(size()),
                 [](double v) { return static_cast<Real>(v); });
}

void LogitBits::limit(double widest) {
  widest_ = widest;
  project();
}

void LogitBits::make_natural() {
  constexpr double rare = 1e-3;  // below it the noise would be magnified, too
  Tensor grad = parameter_.grad();
  if (!grad) return;
  for (Index row = 0; row < rows_; ++row) {
    const Numbers now = values(row);
    const std::span<const double> all(now.data(), size());
    const Numbers p = p_of(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const double weight = form_ == LogitsForm::bell ? slope(all, 0) : p[i];
      grad[row * static_cast<Index>(size()) + static_cast<Index>(i)] /=
          static_cast<Real>(std::max(weight, rare));
    }
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
