#include "quant/bits.hpp"

#include <algorithm>
#include <cmath>

#include "quant/bits_shared.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

Var one_hot(int count, int at) {
  Tensor p({count}, Real(0));
  p[at] = 1;
  return Var(p);
}

/// Every row one-hot at its position among `count` candidates.
BitPolicy::Choice rows_choice(Index count, const std::vector<int>& at) {
  Tensor p({std::ssize(at), count}, Real(0));
  for (std::size_t row = 0; row < at.size(); ++row)
    p[static_cast<Index>(row) * count + at[row]] = 1;
  const auto [least, most] = std::minmax_element(at.begin(), at.end());
  return {Var(p), *least, *most + 1};
}

class FixedBits final : public BitPolicy {
 public:
  FixedBits(const Widths& widths, const std::vector<int>& bits) : bits_(bits) {
    for (const int b : bits) {
      at_.push_back(widths.find(b));
      check(at_.back() >= 0, "[quant] a fixed width must be a candidate: got ", b,
            "; expected one of ", widths.lowest(), " to ", widths.highest());
    }
    choice_ = rows() == 1 ? Choice{one_hot(widths.count(), at_[0]), at_[0], at_[0] + 1}
                          : rows_choice(widths.count(), at_);
  }

  std::string_view name() const override { return "fixed"; }
  Choice choose() override { return choice_; }
  Index rows() const override { return std::ssize(bits_); }
  double bits(Index row) const override { return bits_[static_cast<std::size_t>(row)]; }
  int hard(Index row) const override { return at_[static_cast<std::size_t>(row)]; }
  bool decided() const override { return true; }

 private:
  std::vector<int> bits_, at_;
  Choice choice_;
};

class FixedLevels final : public BitPolicy {
 public:
  FixedLevels(const Widths& widths, double level_bits, double stored_bits)
      : stored_bits_(stored_bits),
        nearest_(nearest_width(widths, level_bits)),
        level_(Tensor({1}, static_cast<Real>(level_bits))) {}

  std::string_view name() const override { return "fixed"; }
  Choice choose() override { return {.p = {}, .level = level_}; }
  double bits(Index) const override { return stored_bits_; }
  int hard(Index) const override { return nearest_; }
  bool decided() const override { return true; }

 private:
  double stored_bits_;
  int nearest_;
  Var level_;  // [1]
};

}  // namespace

BitPolicy::Choice hard_choice(const BitPolicy& policy, const std::vector<Var>& one_hot) {
  if (policy.rows() == 1) {
    const int at = policy.hard();
    return {one_hot[static_cast<std::size_t>(at)], at, at + 1};
  }
  std::vector<int> at;
  for (Index row = 0; row < policy.rows(); ++row) at.push_back(policy.hard(row));
  return rows_choice(std::ssize(one_hot), at);
}

std::vector<Var> one_hot_weights(const Widths& widths) {
  std::vector<Var> all;
  for (int j = 0; j < widths.count(); ++j) all.push_back(one_hot(widths.count(), j));
  return all;
}

bool may_sample() { return TrainingStep::current() && TrainingStep::current()->noise(); }

void check_start(const Widths& widths, double initial) {
  check(widths.count() >= 2, "[quant] a learned width needs a choice: got one candidate, ",
        widths.lowest(), " bits; expected at least 2");
  check(initial >= widths.lowest() && initial <= widths.highest(),
        "[quant] starting width out of range: got ", initial, "; expected ", widths.lowest(),
        " to ", widths.highest());
}

int nearest_width(const Widths& widths, double bits) {
  int nearest = 0;
  for (int j = 1; j < widths.count(); ++j)
    if (std::abs(widths[j] - bits) <= std::abs(widths[nearest] - bits)) nearest = j;
  return nearest;
}

std::unique_ptr<BitPolicy> fixed_bits(const Widths& widths, int bits) {
  return fixed_bits(widths, std::vector{bits});
}

std::unique_ptr<BitPolicy> fixed_bits(const Widths& widths, const std::vector<int>& bits) {
  return std::make_unique<FixedBits>(widths, bits);
}

bool has_levels(const Widths& widths, Coding coding, const Width& width) {
  const bool odd = width.levels() % 2 == 1;
  if (width.whole() || (coding == Coding::symmetric && !odd) || (coding == Coding::twos && odd))
    return false;
  const double bits = width.level_bits(coding);
  return bits >= std::max(widths.lowest(), min_bits) && bits <= widths.highest() &&
         widths[neighbours(widths, bits).below] >= min_bits;
}

std::unique_ptr<BitPolicy> fixed_levels(const Widths& widths, Coding coding, const Width& width) {
  check(!width.whole(), "[quant] no number of levels: got ", width.text(),
        " bits; expected 3 to 255 levels, no power of two");
  check(coding != Coding::twos || width.levels() % 2 == 0,
        "[quant] codes of both signs need an even number of levels: got ", width.levels());
  const Grid grid = width.grid(coding);  // refuses what symmetric codes cannot have
  const double bits = width.level_bits(coding);
  check(has_levels(widths, coding, width), "[quant] no candidates around ", grid.count(),
        " levels: got ", bits, " bits; expected ", std::max(widths.lowest(), min_bits), " to ",
        widths.highest());
  return std::make_unique<FixedLevels>(widths, bits, width.bits());
}

DirectBits::DirectBits(const Widths& widths, DirectForward forward,
                       const std::vector<double>& initial)
    : widths_(widths),
      forward_(forward),
      bits_(of_rows(std::ssize(initial),
                    [&](Index row) { return initial[static_cast<std::size_t>(row)]; }),
            true),
      one_hot_(one_hot_weights(widths)) {
  for (const double b : initial) check_start(widths, b);
}

std::string_view DirectBits::name() const {
  return forward_ == DirectForward::stochastic     ? "stochastic"
         : forward_ == DirectForward::interpolated ? "interpolated"
                                                   : "level";
}

BitPolicy::Choice DirectBits::choose() {
  if (!may_sample()) return hard_choice(*this, one_hot_);
  if (forward_ == DirectForward::level) return {.p = {}, .level = bits_};
  const Var p = op::neighbour_weights(bits_, widths_);
  const Tensor below = of_rows(rows(), [&](Index row) {  // as neighbour_weights counts
    return neighbours(widths_, bits(row)).below;
  });
  const auto [least, most] = std::minmax_element(below.span().begin(), below.span().end());
  const int first = static_cast<int>(*least), last = static_cast<int>(*most) + 2;
  if (forward_ == DirectForward::interpolated) return {p, first, last};
  TrainingStep& step = *TrainingStep::current();
  Tensor at({rows()});
  fill_uniform(at, 0, 1, step.generator(Stream::bits), step.counter());
  for (Index row = 0; row < rows(); ++row) {
    const auto lower = static_cast<Index>(below[row]);
    const bool above = at[row] < p.value()[row * widths_.count() + lower + 1];
    at[row] = static_cast<Real>(lower + above);
  }
  return {rows() == 1 ? op::harden(p, static_cast<Index>(at[0])) : op::harden(p, at), first, last};
}

double DirectBits::bits(Index row) const { return static_cast<double>(bits_.value()[row]); }

double DirectBits::bits_of(std::span<const double> values) const {
  const double widest = std::min<double>(widths_.highest(), widest_);
  return std::max<double>(std::min(values[0], widest), widths_.lowest());
}

int DirectBits::hard(Index row) const { return nearest_width(widths_, bits(row)); }

void DirectBits::project() {
  for (Index row = 0; row < rows(); ++row) {
    const double b = bits(row);
    bits_.value()[row] = static_cast<Real>(bits_of({&b, 1}));
  }
}

void DirectBits::limit(double widest) {
  widest_ = widest;
  project();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
