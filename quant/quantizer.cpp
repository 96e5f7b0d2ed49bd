#include "quant/quantizer.hpp"

#include <algorithm>
#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::quant {

namespace {

constexpr Real half = Real(0.5001);  // and what division rounds

/// Half of what codes that are next to each other are apart, for each row.
Tensor half_steps(const Quantizer::Info& info, const Tensor& p, const Tensor& scale) {
  const Index count = p.dim(-1);
  Tensor reach({scale.dim(1)}, Real(0));
  for (Index j = 0; j < count; ++j) {
    const Real step =
        half * static_cast<Real>(grid_of(info.coding, info.widths[static_cast<int>(j)]).step);
    for (Index row = 0; row < reach.size(); ++row)
      reach[row] += step * p[p.rank() == 1 ? j : row * count + j] * scale[j * reach.size() + row];
  }
  return reach;
}

}  // namespace

Quantizer::Quantizer(Info info, std::unique_ptr<BitPolicy> bits, std::unique_ptr<RangePolicy> range)
    : info_(std::move(info)),
      bits_(std::move(bits)),
      range_(std::move(range)),
      learns_range_(!range_->parameters().empty()) {}

Var Quantizer::operator()(const Var& x) {
  if (mode_ == Mode::off) return x;
  if (mode_ == Mode::observe) {
    range_->observe(x.value());
    return x;
  }
  const Ranges ranges = range_->ranges(x.value());
  const BitPolicy::Choice choice = bits_->choose();
  const Var y = quantized(x, ranges, choice);
  if (look_) check_codes(x.value(), y.value());
  look_ = false;
  return y;
}

/// Of relu(x); max-pooled, if there is a pool and fake_quant can do it.
nn::Transform::Pooled Quantizer::rectified(const Var& x, const Pool& pool) {
  if (!only_quantizes()) return {(*this)(op::relu(x))};
  const Ranges ranges = range_->ranges(x.value());
  const BitPolicy::Choice choice = bits_->choose();
  if (choice.level) return {quantize_to_level(op::relu(x), ranges, choice.level)};
  const bool pooled = pool && op::fake_quant_pools(x.shape(), ranges.scale.shape(), *pool);
  return {quantize_to_widths(x, ranges, choice, true, pooled ? pool : Pool()), pooled};
}

Var Quantizer::of_normalised(const op::BatchNormInput& norm) {
  if (!only_quantizes()) return (*this)(op::batch_norm(norm));
  const Ranges ranges = range_->ranges(norm.x.value());
  const BitPolicy::Choice choice = bits_->choose();
  if (!choice.level && op::batch_norm_fake_quant_suits(norm.x.shape(), ranges.scale.shape()))
    return op::batch_norm_fake_quant(norm, choice.p, ranges.scale, ranges.zero,
                                     options(choice, false));
  return quantized(op::batch_norm(norm), ranges, choice);
}

/// A learned range has seen its numbers; a measured one may go on looking at them.
bool Quantizer::only_quantizes() const {
  return mode_ == Mode::on && !each_op_is_seen() && !look_ && damping_ == 0 && learns_range_;
}

Var Quantizer::quantized(const Var& x, const Ranges& ranges, const BitPolicy::Choice& choice) {
  return choice.level ? quantize_to_level(x, ranges, choice.level)
                      : quantize_to_widths(x, ranges, choice, false);
}

Var Quantizer::quantize_to_widths(const Var& x, const Ranges& ranges,
                                  const BitPolicy::Choice& choice, bool relu,
                                  const Pool& pool) const {
  const Var y = op::fake_quant(x, choice.p, ranges.scale, ranges.zero, options(choice, relu, pool));
  if (!is_damped()) return y;
  return op::dampen(x, y, half_steps(info_, choice.p.value(), ranges.scale.value()), damping_);
}

op::FakeQuantOptions Quantizer::options(const BitPolicy::Choice& choice, bool relu,
                                        const Pool& pool) const {
  return {info_.coding, info_.widths, choice.first, choice.last, info_.name, relu, pool};
}

Var Quantizer::quantize_to_level(const Var& x, const Ranges& ranges, const Var& bits) {
  const auto [scale, zero] = level_range(ranges, bits);
  const Var y = op::level_quant(x, scale, zero, bits, info_.coding);
  if (!is_damped()) return y;
  Tensor reach = scale.value().clone();  // levels are a scale apart at any b
  for (Real& s : reach.span()) s *= half;
  return op::dampen(x, y, reach, damping_);
}

/// The range at b bits, [R] each.
Ranges Quantizer::level_range(const Ranges& ranges, const Var& bits) const {
  for (const Real s : ranges.scale.value().span())
    check(s > 0 && std::isfinite(s), "[quant] the range of ", info_.name, " collapsed: got scale ",
          s,
          "; expected a positive number; try a smaller rate or clip, a smaller range rate, or "
          "another range policy");
  const auto at_level = [&] {
    return Ranges{op::level_scale(bits, ranges.scale, info_.coding, info_.widths),
                  level_zero(ranges.zero, bits.value())};
  };
  if (!Tape::current() || Tape::current()->records() != Tape::Records::graph) return at_level();
  Tape aside;  // how it lies between those of the candidates is no part of the model's graph
  return at_level();
}

/// Zero-points at b bits: their shares of the steps, interpolated between those of the
/// neighbours.
Var Quantizer::level_zero(const Var& zero, const Tensor& bits) const {
  const Index rows = bits.size();
  Tensor weight({info_.widths.count(), rows}, Real(0));
  for (Index row = 0; row < rows; ++row) {
    const Neighbours near = neighbours(info_.widths, static_cast<double>(bits[row]));
    for (const int j : {near.below, near.above()})
      weight[j * rows + row] = static_cast<Real>((j == near.below ? 1 - near.way : near.way) *
                                                 level_steps(info_.coding, near.bits) /
                                                 level_steps(info_.coding, info_.widths[j]));
  }
  return op::sum(op::mul(zero, Var(weight)), {0});
}

bool Quantizer::is_damped() const {
  const TrainingStep* step = TrainingStep::current();
  return damping_ != 0 && step && step->noise();
}

void Quantizer::check_codes(const Tensor& x, const Tensor& y) const {
  for (const Real v : x.span())
    check(std::isfinite(v), "[quant] ", info_.name, " has to quantize what is no number: got ", v,
          "; expected finite ones; try a smaller rate or clip");
  const Index length = x.size() / info_.rows;
  bool differ = false;
  for (Index row = 0; row < info_.rows; ++row) {
    const auto all_equal = [&](const Tensor& t) {
      const auto numbers = t.span().subspan(static_cast<std::size_t>(row * length),
                                            static_cast<std::size_t>(length));
      return std::all_of(numbers.begin(), numbers.end(), [&](Real v) { return v == numbers[0]; });
    };
    if (!all_equal(y)) return;
    differ |= !all_equal(x);
  }
  const auto [low, high] = std::minmax_element(x.span().begin(), x.span().end());
  check(!differ, "[quant] the range of ", info_.name, " collapsed: all numbers",
        info_.rows > 1 ? " of a row" : "", " have the same code: got numbers from ", *low, " to ",
        *high, ", which all become ", y[0], info_.rows > 1 ? " in the first row" : "",
        "; expected two codes or more; try a smaller rate or clip, a ",
        "smaller range rate, more bits or another range policy");
}

void Quantizer::visit(nn::Visitor& visitor) {
  bits_->visit(visitor);
  range_->visit(visitor);
}

void Quantizer::freeze(const Width& width) {
  freeze(std::vector<Width>(static_cast<std::size_t>(width_count()), width));
}

void Quantizer::freeze(const std::vector<Width>& widths) {
  check(std::ssize(widths) == width_count(), "[quant] wrong number of widths for ", info_.name,
        ": got ", widths.size(), "; expected ", width_count());
  std::vector<int> bits;
  for (const Width& width : widths) {
    check(width.whole() || widths.size() == 1, "[quant] channels with widths of their own have ",
          "whole bits: got ", width.text(), " for one of ", info_.name, "; expected ", min_bits,
          " to ", max_bits, " bits");
    bits.push_back(width.whole_bits());
  }
  auto fixed = widths[0].whole() ? fixed_bits(info_.widths, bits)
                                 : fixed_levels(info_.widths, info_.coding, widths[0]);
  if (!frozen_) {
    learned_.clear();
    for (Index row = 0; row < width_count(); ++row) learned_.push_back(bits_->bits(row));
  }
  bits_ = std::move(fixed);
  levels_ = widths[0];
  frozen_ = true;
}

double Quantizer::mean_hard_bits() const {
  double sum = 0;
  for (Index row = 0; row < width_count(); ++row) sum += hard_width(row).bits();
  return sum / static_cast<double>(width_count());
}

Index Quantizer::bytes() const {
  if (width_count() == 1) return hard_width().bytes(info_.elements);
  Index bits = 0;
  for (Index row = 0; row < width_count(); ++row)
    bits += info_.elements / width_count() * hard_bits(row);
  return Width(1).bytes(bits);
}

double Quantizer::learned_bits(Index row) const {
  return frozen_ ? learned_[static_cast<std::size_t>(row)] : bits_->bits(row);
}

double Quantizer::learned_bits() const {
  double sum = 0;
  for (Index row = 0; row < width_count(); ++row) sum += learned_bits(row);
  return sum / static_cast<double>(width_count());
}

void Quantizer::set_learned_bits(std::vector<double> bits) {
  check(std::ssize(bits) == width_count(), "[quant] wrong number of widths for ", info_.name,
        ": got ", bits.size(), "; expected ", width_count());
  learned_ = std::move(bits);
}

std::vector<Quantizer*> quantizers(nn::Module& model) {
  std::vector<Quantizer*> found;
  for (auto& [name, slot] : nn::slots(model))
    if (auto* quantizer = dynamic_cast<Quantizer*>(slot->get())) found.push_back(quantizer);
  return found;
}

void set_mode(nn::Module& model, Quantizer::Mode mode) {
  for (Quantizer* quantizer : quantizers(model)) quantizer->set_mode(mode);
}

void calibrated(nn::Module& model) {
  for (Quantizer* quantizer : quantizers(model)) {
    quantizer->range().finish();
    quantizer->set_mode(Quantizer::Mode::on);
  }
}

double average_bits(const std::vector<Quantizer*>& quantizers, Role role, bool hard) {
  double bits = 0, elements = 0;
  for (const Quantizer* q : quantizers) {
    if (q->info().role != role) continue;
    const auto n = static_cast<double>(q->info().elements);
    bits += n * (hard ? q->mean_hard_bits() : q->learned_bits());
    elements += n;
  }
  return elements > 0 ? bits / elements : 0;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
