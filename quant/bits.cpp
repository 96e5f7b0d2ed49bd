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
  bool decided() const override { return true; }

 private:
  int bits_, at_;
  Var p_;
};

class FixedLevels final : public BitPolicy {
 public:
  FixedLevels(const Widths& widths, double level_bits, double stored_bits)
      : stored_bits_(stored_bits),
        nearest_(nearest_width(widths, level_bits)),
        level_(Tensor({1}, static_cast<Real>(level_bits))) {}

  std::string_view name() const override { return "fixed"; }
  Choice choose() override { return {.p = {}, .level = level_}; }
  double bits() const override { return stored_bits_; }
  int hard() const override { return nearest_; }
  bool decided() const override { return true; }

 private:
  double stored_bits_;
  int nearest_;
  Var level_;  // [1]
};

}  // namespace

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
    if (std::abs(widths[j] - bits) < std::abs(widths[nearest] - bits)) nearest = j;
  return nearest;
}

std::unique_ptr<BitPolicy> fixed_bits(const Widths& widths, int bits) {
  return std::make_unique<FixedBits>(widths, bits);
}

std::unique_ptr<BitPolicy> fixed_levels(const Widths& widths, Coding coding, const Width& width) {
  check(!width.whole(), "[quant] no number of levels: got ", width.text(),
        " bits; expected 3 to 255 levels, no power of two");
  check(coding != Coding::twos || width.levels() % 2 == 0,
        "[quant] codes of both signs need an even number of levels: got ", width.levels());
  const Grid grid = width.grid(coding);  // refuses what symmetric codes cannot have
  const double bits = width.level_bits(coding);
  check(bits >= std::max(widths.lowest(), min_bits) && bits <= widths.highest() &&
            widths[neighbours(widths, bits).below] >= min_bits,
        "[quant] no candidates around ", grid.count(), " levels: got ", bits, " bits; expected ",
        std::max(widths.lowest(), min_bits), " to ", widths.highest());
  return std::make_unique<FixedLevels>(widths, bits, width.bits());
}

DirectBits::DirectBits(const Widths& widths, DirectForward forward, double initial)
    : widths_(widths),
      forward_(forward),
      bits_(Tensor({1}, static_cast<Real>(initial)), true),
      one_hot_(one_hot_weights(widths)) {
  check_start(widths, initial);
}

std::string_view DirectBits::name() const {
  return forward_ == DirectForward::stochastic     ? "stochastic"
         : forward_ == DirectForward::interpolated ? "interpolated"
                                                   : "level";
}

BitPolicy::Choice DirectBits::choose() {
  if (!may_sample()) return {one_hot_[static_cast<std::size_t>(hard())], hard(), hard() + 1};
  if (forward_ == DirectForward::level) return {.p = {}, .level = bits_};
  const Var p = op::neighbour_weights(bits_, widths_);
  const int below = neighbours(widths_, bits()).below;  // as neighbour_weights counts
  if (forward_ == DirectForward::interpolated) return {p, below, below + 2};
  TrainingStep& step = *TrainingStep::current();
  const float coin = uniform(step.generator(Stream::bits)(step.counter().words())[0]);
  const bool above = Real(coin) < p.value()[below + 1];
  return {op::harden(p, below + above), below, below + 2};
}

double DirectBits::bits() const { return static_cast<double>(bits_.value()[0]); }

double DirectBits::bits_of(std::span<const double> values) const {
  const double widest = std::min<double>(widths_.highest(), widest_);
  return std::max<double>(std::min(values[0], widest), widths_.lowest());
}

int DirectBits::hard() const { return nearest_width(widths_, bits()); }

void DirectBits::project() {
  const double b = bits();
  bits_.value()[0] = static_cast<Real>(bits_of({&b, 1}));
}

void DirectBits::limit(double widest) {
  widest_ = widest;
  project();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
