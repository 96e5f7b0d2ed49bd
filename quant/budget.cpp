#include "quant/budget.hpp"

#include <algorithm>
#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-12;
constexpr double step_limit = 5;  // in units of the rate

/// Positions in `sum`, each once.
std::vector<std::size_t> tensors_of(const Sum& sum) {
  std::vector<std::size_t> tensors;
  for (const Sum::Term& term : sum.terms) {
    tensors.push_back(term.left);
    if (term.right != Sum::none) tensors.push_back(term.right);
  }
  std::sort(tensors.begin(), tensors.end());
  tensors.erase(std::unique(tensors.begin(), tensors.end()), tensors.end());
  return tensors;
}

}  // namespace

/// Tries prices: only the tensors that a constraint counts are moved for it.
class BudgetedBits::Step final : public Trial {
 public:
  explicit Step(BudgetedBits& of) : of_(of) {}

  double cost(std::size_t i, std::span<const Constraint> all) override {
    const Part& part = of_.parts_[i];
    for (const std::size_t k : part.moved) of_.move(of_.items_[k], k, all);
    return part.sum->value(of_.widths_) / part.scale;
  }

 private:
  BudgetedBits& of_;
};

BudgetedBits::BudgetedBits(std::vector<Quantizer*> all, std::vector<Budget> budgets,
                           Options options)
    : budgets_(std::move(budgets)),
      options_(std::move(options)),
      limited_(budgets_.size()),
      highest_(budgets_.size()) {
  for (const Site& site : sites_of(all)) {
    items_.push_back({site});
    widths_.push_back(site.bits());
  }
  for (std::size_t i = 0; i < budgets_.size(); ++i)
    for (const Sum& sum : budgets_[i].cost.sums) {
      Part part{&sum, i, sum.scale(), budgets_[i].target / sum.scale()};
      for (const std::size_t k : tensors_of(sum))
        if (items_[k].policy().parameter()) part.moved.push_back(k);
      for (const std::size_t k : part.moved) items_[k].moved = true;
      part.start = sum.value(widths_) / part.scale;
      part.slopes.resize(items_.size());
      parts_.push_back(std::move(part));
    }
  for (Item& item : items_)
    if (item.moved) {
      const Index size = item.policy().parameter().value().size() / item.policy().rows();
      for (auto* numbers :
           {&item.m, &item.v, &item.theta, &item.next, &item.push, &item.rate, &item.slope})
        numbers->resize(static_cast<std::size_t>(size));
    }
  constraints_.resize(parts_.size());
  multiplier_ = multiplier_of(options_.multiplier, parts_.size());
}

BudgetedBits::~BudgetedBits() = default;

double BudgetedBits::cost(std::size_t budget) const {
  std::vector<double> widths;
  for (const Item& item : items_) widths.push_back(item.site.bits());
  return budgets_[budget].cost.value(widths);
}

void BudgetedBits::clear_gradients() {
  for (Item& item : items_)
    if (item.moved) item.policy().parameter().clear_grad();
}

void BudgetedBits::take_gradients() {
  for (Item& item : items_) {
    if (!item.moved) continue;
    const Var parameter = item.policy().parameter();
    const Tensor& grad = parameter.grad();
    for (std::size_t i = 0; i < item.m.size(); ++i) {
      const Index at = item.first() + static_cast<Index>(i);
      const double g = grad ? static_cast<double>(grad[at]) : 0;
      check(std::isfinite(g), "[search] the bit-width of ", item.site.name(),
            " has a gradient that is no number: got ", g,
            "; expected a finite one; try a smaller rate or clip");
      item.m[i] = beta1 * item.m[i] + (1 - beta1) * g;
      item.v[i] = beta2 * item.v[i] + (1 - beta2) * g * g;
      item.theta[i] = static_cast<double>(parameter.value()[at]);
    }
    prepare(item);
  }
  clear_gradients();
}

/// What a step at any prices needs.
void BudgetedBits::prepare(Item& item) const {
  const double correction1 = 1 - std::pow(beta1, static_cast<double>(steps_));
  const double correction2 = 1 - std::pow(beta2, static_cast<double>(steps_));
  for (std::size_t i = 0; i < item.m.size(); ++i) {
    item.push[i] = item.m[i] / correction1;
    item.rate[i] = options_.rate / (std::sqrt(item.v[i] / correction2) + epsilon);
    item.slope[i] = item.policy().slope(item.theta, i);
  }
}

void BudgetedBits::take_slopes() {
  for (std::size_t k = 0; k < items_.size(); ++k) widths_[k] = items_[k].site.bits();
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    std::fill(part.slopes.begin(), part.slopes.end(), 0);
    part.sum->add_slopes(widths_, part.slopes);
    for (double& slope : part.slopes) slope /= part.scale;
    constraints_[i].now = part.sum->value(widths_) / part.scale;
  }
}

/// Where item k is after a step at these prices.
void BudgetedBits::move(Item& item, std::size_t k, std::span<const Constraint> prices) {
  const double limit = step_limit * options_.rate;
  double price = 0;
  for (std::size_t i = 0; i < prices.size(); ++i) price += prices[i].price * parts_[i].slopes[k];
  for (std::size_t i = 0; i < item.theta.size(); ++i) {
    const double force = item.push[i] + price * item.slope[i];
    item.next[i] = item.theta[i] - std::clamp(item.rate[i] * force, -limit, limit);
  }
  widths_[k] = item.policy().bits_of(item.next);
}

void BudgetedBits::take_step() {
  for (std::size_t k = 0; k < items_.size(); ++k) {
    Item& item = items_[k];
    if (!item.moved) continue;
    move(item, k, constraints_);
    Var parameter = item.policy().parameter();
    for (std::size_t i = 0; i < item.next.size(); ++i)
      parameter.value()[item.first() + static_cast<Index>(i)] = static_cast<Real>(item.next[i]);
    if (item.site.row + 1 == item.policy().rows()) item.policy().project();
  }
  for (std::size_t k = 0; k < items_.size(); ++k)
    if (items_[k].moved) widths_[k] = items_[k].site.bits();
}

void BudgetedBits::add_to_tail() {
  for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].sum_price += constraints_[i].price;
  for (std::size_t k = 0; k < items_.size(); ++k) {
    Item& item = items_[k];
    const BitPolicy& bits = item.policy();
    item.sum_bits += item.site.bits();
    for (std::size_t i = 0; i < parts_.size(); ++i)
      item.sum_price += constraints_[i].price * parts_[i].slopes[k];
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

void BudgetedBits::step(double progress) {
  ++steps_;
  take_gradients();
  take_slopes();
  const bool ramps = multiplier_->ramps() && options_.ramp > 0;
  const double ramp = ramps ? std::min(1.0, progress / options_.ramp) : 1.0;
  for (std::size_t i = 0; i < parts_.size(); ++i)
    constraints_[i].target = parts_[i].start + ramp * (parts_[i].target - parts_[i].start);
  Step trial(*this);
  multiplier_->find(constraints_, trial);
  take_step();
  for (std::size_t b = 0; b < budgets_.size(); ++b) {
    bool met = true;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].budget != b) continue;
      highest_[b] = std::max(highest_[b], use_of(parts_[i]));
      met &= constraints_[i].met;
    }
    limited_[b] += !met;
  }
  if (progress < 1 - options_.tail) return;
  ++tail_steps_;
  add_to_tail();
}

double BudgetedBits::use_of(const Part& part) const {
  return part.sum->value(widths_) / budgets_[part.budget].target;
}

double BudgetedBits::highest_use(std::size_t budget) const {
  if (steps_ > 0) return highest_[budget];
  double highest = 0;
  for (const Part& part : parts_)
    if (part.budget == budget) highest = std::max(highest, use_of(part));
  return highest;
}

bool BudgetedBits::met() const {
  return std::all_of(constraints_.begin(), constraints_.end(),
                     [](const Constraint& one) { return one.met; });
}

double BudgetedBits::price(std::size_t budget) const {
  double sum = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i)
    if (parts_[i].budget == budget) sum += constraints_[i].price / parts_[i].scale;
  return sum;
}

double BudgetedBits::mean_price(std::size_t budget) const {
  if (!tail_steps_) return price(budget);
  double sum = 0;
  for (const Part& part : parts_)
    if (part.budget == budget)
      sum += part.sum_price / static_cast<double>(tail_steps_) / part.scale;
  return sum;
}

std::vector<double> BudgetedBits::learned_bits() const {
  std::vector<double> widths;
  for (const Item& item : items_)
    widths.push_back(tail_steps_ ? item.sum_bits / static_cast<double>(tail_steps_)
                                 : item.site.bits());
  return widths;
}

std::vector<double> BudgetedBits::gain() const {
  std::vector<double> gains;
  for (const Item& item : items_)
    gains.push_back(tail_steps_ ? item.sum_gain / static_cast<double>(tail_steps_) : 0);
  return gains;
}

std::vector<double> BudgetedBits::price_of_a_bit() const {
  std::vector<double> prices;
  for (const Item& item : items_)
    prices.push_back(tail_steps_ ? item.sum_price / static_cast<double>(tail_steps_) : 0);
  return prices;
}

template <class Self, class Each>
void BudgetedBits::each_number(Self& self, Each&& each) {
  each(self.steps_);
  each(self.tail_steps_);
  for (auto& limited : self.limited_) each(limited);
  for (auto& highest : self.highest_) each(highest);
  for (auto& number : self.multiplier_->memory()) each(number);
  for (auto& part : self.parts_) {
    each(part.start);
    each(part.sum_price);
  }
  for (auto& constraint : self.constraints_) {
    each(constraint.price);
    each(constraint.met);
  }
  for (auto& item : self.items_) {
    for (auto& m : item.m) each(m);
    for (auto& v : item.v) each(v);
    each(item.sum_bits);
    each(item.sum_gain);
    each(item.sum_price);
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

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
