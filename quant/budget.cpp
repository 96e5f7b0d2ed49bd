#include "quant/budget.hpp"

#include <algorithm>
#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-12;
constexpr double step_limit = 5;  // in units of the rate

bool is_learned(const Quantizer& q) { return static_cast<bool>(q.bits().parameter()); }

}  // namespace

BudgetedBits::BudgetedBits(std::vector<Quantizer*> all, Options options) : options_(options) {
  double elements = 0;
  for (const Quantizer* q : all) elements += static_cast<double>(q->info().elements);
  for (Quantizer* q : all) {
    const Var parameter = q->bits().parameter();
    const auto size = static_cast<std::size_t>(parameter.value().size());
    items_.push_back({q, static_cast<double>(q->info().elements) / elements,
                      std::vector<double>(size), std::vector<double>(size),
                      std::vector<double>(size), std::vector<double>(size)});
  }
  start_ = cost();
}

double BudgetedBits::cost() const {
  double cost = 0;
  for (const Item& item : items_) cost += item.share * item.quantizer->bits().bits();
  return cost;
}

void BudgetedBits::take_gradients() {
  for (Item& item : items_) {
    if (!is_learned(*item.quantizer)) continue;
    const Var parameter = item.quantizer->bits().parameter();
    const Tensor& grad = parameter.grad();
    for (std::size_t i = 0; i < item.m.size(); ++i) {
      const double g = grad ? static_cast<double>(grad[static_cast<Index>(i)]) : 0;
      check(std::isfinite(g), "[search] the bit-width of ", item.quantizer->info().name,
            " has a gradient that is no number: got ", g,
            "; expected a finite one; try a smaller rate or clip");
      item.touched |= g != 0;
      item.m[i] = beta1 * item.m[i] + (1 - beta1) * g;
      item.v[i] = beta2 * item.v[i] + (1 - beta2) * g * g;
      item.theta[i] = static_cast<double>(parameter.value()[static_cast<Index>(i)]);
    }
    parameter.clear_grad();
  }
}

double BudgetedBits::cost_at(double price) {
  const double correction1 = 1 - std::pow(beta1, static_cast<double>(steps_));
  const double correction2 = 1 - std::pow(beta2, static_cast<double>(steps_));
  const double limit = step_limit * options_.rate;
  double cost = 0;
  for (Item& item : items_) {
    const BitPolicy& bits = item.quantizer->bits();
    if (!is_learned(*item.quantizer)) {
      cost += item.share * bits.bits();
      continue;
    }
    for (std::size_t i = 0; i < item.theta.size(); ++i) {
      const double force = item.m[i] / correction1 + price * item.share * bits.slope(item.theta, i);
      const double scale = options_.rate / (std::sqrt(item.v[i] / correction2) + epsilon);
      item.next[i] = item.theta[i] - std::clamp(scale * force, -limit, limit);
    }
    cost += item.share * bits.bits_of(item.next);
  }
  return cost;
}

void BudgetedBits::find_price(double target) {
  price_ = 0;
  met_ = cost_at(0) <= target;
  if (met_) return;
  double low = 0, high = 1e-6, before = cost_at(0), cost = cost_at(high);
  // Every width at its step limit or bound: no price can lower the cost further.
  while (cost > target && (cost < before || high < 1)) {
    low = high;
    before = cost;
    cost = cost_at(high *= 4);
  }
  met_ = cost <= target;
  if (!met_) {
    ++limited_;
    price_ = low;
    return;
  }
  for (int i = 0; i < 100; ++i) {
    price_ = (low + high) / 2;
    cost = cost_at(price_);
    if (cost <= target && target - cost < 1e-6) return;
    (cost > target ? low : high) = price_;
  }
  price_ = high;
  cost_at(price_);
}

void BudgetedBits::step(double progress) {
  ++steps_;
  take_gradients();
  const double ramp = options_.ramp > 0 ? std::min(1.0, progress / options_.ramp) : 1.0;
  find_price(start_ + ramp * (options_.target - start_));
  const bool tail = progress >= 1 - options_.tail;
  tail_steps_ += tail;
  if (tail) sum_price_ += price_;
  for (Item& item : items_) {
    BitPolicy& bits = item.quantizer->bits();
    if (is_learned(*item.quantizer)) {
      Var parameter = bits.parameter();
      for (std::size_t i = 0; i < item.next.size(); ++i)
        parameter.value()[static_cast<Index>(i)] = static_cast<Real>(item.next[i]);
      bits.project();
    }
    if (!tail) continue;
    item.sum_bits += bits.bits();
    // Along b the task gradient of a parameter is m_i / (db/dtheta_i), least squares over i.
    double along = 0, norm = 0;
    for (std::size_t i = 0; i < item.m.size(); ++i) {
      const double slope = bits.slope(item.next, i);
      along += item.m[i] * slope;
      norm += slope * slope;
    }
    if (norm > 0) item.sum_gain -= along / norm;
  }
}

double BudgetedBits::mean_price() const {
  return tail_steps_ ? sum_price_ / static_cast<double>(tail_steps_) : price_;
}

std::vector<double> BudgetedBits::learned_bits() const {
  std::vector<double> widths;
  for (const Item& item : items_)
    widths.push_back(tail_steps_ ? item.sum_bits / static_cast<double>(tail_steps_)
                                 : item.quantizer->bits().bits());
  return widths;
}

std::vector<double> BudgetedBits::gain() const {
  std::vector<double> gains;
  for (const Item& item : items_)
    gains.push_back(tail_steps_ ? item.sum_gain / static_cast<double>(tail_steps_) : 0);
  return gains;
}

void BudgetedBits::check_alive() {
  for (Item& item : items_) {
    if (!is_learned(*item.quantizer)) continue;
    const Widths& widths = item.quantizer->info().widths;
    const double b = item.quantizer->bits().bits();
    const bool inside = b > widths.lowest() && b < widths.highest();
    check(item.touched || !inside, "[search] the bit-width of ", item.quantizer->info().name,
          " is not being learned: its task gradient was exactly 0 through an epoch at b = ", b,
          "; try another start or policy, and see that the tensor is used");
    item.touched = false;
  }
}

template <class Self, class Each>
void BudgetedBits::each_number(Self& self, Each&& each) {
  each(self.start_);
  each(self.price_);
  each(self.sum_price_);
  each(self.steps_);
  each(self.tail_steps_);
  each(self.limited_);
  each(self.met_);
  for (auto& item : self.items_) {
    for (auto& m : item.m) each(m);
    for (auto& v : item.v) each(v);
    each(item.sum_bits);
    each(item.sum_gain);
    each(item.touched);
  }
}

std::vector<double> BudgetedBits::state() const {
  std::vector<double> numbers;
  each_number(*this, [&](const auto& x) { numbers.push_back(static_cast<double>(x)); });
  return numbers;
}

void BudgetedBits::set_state(std::span<const double> numbers) {
  const std::size_t expected = state().size();
  check(numbers.size() == expected, "[search] the state of a budget has the wrong size: got ",
        numbers.size(), " numbers; expected ", expected);
  std::size_t i = 0;
  each_number(*this, [&](auto& x) { x = static_cast<std::decay_t<decltype(x)>>(numbers[i++]); });
}

Var bit_cost(const std::vector<Quantizer*>& quantizers, double lambda, bool quadratic) {
  Var total;
  for (Quantizer* q : quantizers) {
    const Var b = q->bits().bits_on_tape();
    if (!b) continue;
    const Var cost = op::sum(quadratic ? op::mul(b, b) : b);
    total = total ? op::add(total, cost) : cost;
  }
  check(static_cast<bool>(total),
        "[search] a price of bits, but no width is learned; try quant.*.bits");
  return op::mul(total, Var(Tensor::scalar(static_cast<Real>(lambda))));
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
