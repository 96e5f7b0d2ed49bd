#include "models/run/bit_rounding.hpp"

#include <algorithm>

#include "quant/exchange.hpp"

namespace fraqat::run {
namespace {

bool is_learned(const quant::Quantizer& q) { return static_cast<bool>(q.bits().parameter()); }

double elements_of(const quant::Workload& workload, quant::Role role) {
  double sum = 0;
  for (const quant::Quantizer* q : workload.quantizers)
    if (q->info().role == role) sum += static_cast<double>(q->info().elements);
  return sum;
}

/// Loss per bit near the learned width.  Where the search came to rest inside the
/// bounds, a bit more would gain its price.  At a bound the measured gain says by how
/// much it differs.  Without a price, larger tensors matter more.
double sensitivity(const quant::Widths& widths, double bits, double gain, double price,
                   double share) {
  if (price <= 0) return share;
  if (bits < widths.lowest() + 0.05) return std::clamp(gain, 0.05 * price, price);
  if (bits > widths.highest() - 0.05) return std::clamp(gain, price, 20 * price);
  return price;
}

}  // namespace

std::vector<int> allowed_widths(const Recipe& recipe, quant::Role role) {
  const bool weight = role == quant::Role::weight;
  std::vector<int> own = weight ? recipe.allowed_weight : recipe.allowed_activation;
  std::sort(own.begin(), own.end());
  return own.empty() ? recipe.allowed : own;
}

BitRounding::BitRounding(const quant::Workload& workload, const std::vector<quant::Budget>& budgets,
                         const Recipe& recipe)
    : workload_(workload),
      sites_(quant::sites_of(workload.quantizers)),
      budgets_(budgets),
      recipe_(recipe) {}

bool BitRounding::to_budget() const {
  return quant::rounding_of(recipe_.rounding) == quant::Rounding::budget;
}

std::vector<quant::RoundingItem> BitRounding::items(const LearnedBits& learned) const {
  std::vector<quant::RoundingItem> items;
  for (std::size_t k = 0; k < sites_.size(); ++k) {
    const quant::Quantizer& q = *sites_[k].quantizer;
    const quant::Widths& widths = q.info().widths;
    const double share =
        static_cast<double>(sites_[k].elements) / elements_of(workload_, q.info().role);
    quant::RoundingItem item{sites_[k].name(), learned.bits[k], sites_[k].elements, 0, {}};
    item.sensitivity = sensitivity(widths, item.bits, learned.gain[k], learned.price[k], share);
    for (const int b : allowed_widths(recipe_, q.info().role))
      if (is_learned(q) && widths.find(b) >= 0) item.allowed.push_back(b);
    if (!is_learned(q)) item.allowed = {q.hard_bits(sites_[k].row)};
    check(!item.allowed.empty(), "[round] no allowed width is a candidate of ", item.name,
          "; try round.allowed between ", widths.lowest(), " and ", widths.highest());
    items.push_back(std::move(item));
  }
  return items;
}

quant::Couples BitRounding::couples() const {
  if (!recipe_.couple_adds) return {};
  quant::Couples sites = workload_.added;
  const std::vector<std::size_t> first = quant::first_sites(workload_.quantizers);
  for (auto& [a, b] : sites) {
    a = first[a];
    b = first[b];
  }
  return sites;
}

/// Each row of a tensor with its first one.
quant::Couples BitRounding::rows() const {
  quant::Couples rows;
  for (std::size_t k = 0; k < sites_.size(); ++k)
    if (sites_[k].row > 0) rows.emplace_back(k - static_cast<std::size_t>(sites_[k].row), k);
  return rows;
}

void BitRounding::check_feasible() const {
  if (!to_budget()) return;
  LearnedBits start{{}, std::vector<double>(sites_.size()), std::vector<double>(sites_.size())};
  for (const quant::Site& site : sites_) start.bits.push_back(site.bits());
  quant::check_feasible(items(start), budgets_, couples());
}

void BitRounding::freeze(const std::vector<int>& bits) const {
  auto next = bits.begin();
  for (quant::Quantizer* q : workload_.quantizers) {
    const auto end = next + q->width_count();
    q->freeze(std::vector<quant::Width>(next, end));
    next = end;
  }
}

/// What each tensor loses at each width, the others at their nearest; noise must
/// not make more bits look worse.
void BitRounding::measure(std::vector<quant::RoundingItem>& items, const TrueLoss& loss) const {
  const std::vector<int> nearest = quant::round_each(items, quant::Rounding::nearest).bits;
  for (std::size_t k = 0; k < items.size(); ++k) {
    std::vector<double>& losses = items[k].losses;
    for (const int b : items[k].allowed) {
      if (items[k].allowed.size() > 1) {
        std::vector<int> bits = nearest;
        bits[k] = b;
        freeze(bits);
        const double measured = loss();
        losses.push_back(losses.empty() ? measured : std::min(measured, losses.back()));
      } else {
        losses.push_back(0);
      }
    }
    const double least = losses.back();
    for (double& one : losses) one -= least;
  }
}

nlohmann::ordered_json BitRounding::round(const LearnedBits& learned, const TrueLoss& loss) const {
  const quant::Couples couples = this->couples();
  std::vector<quant::RoundingItem> all = items(learned);
  quant::Rounded rounded;
  quant::Exchange exchange;
  if (to_budget()) {
    if (recipe_.losses == "measured") measure(all, loss);
    rounded = quant::round_rows_to_budgets(all, budgets_, couples, rows());
    const auto true_loss = [&](const std::vector<int>& bits) {
      freeze(bits);
      return loss();
    };
    exchange =
        quant::exchange_widths(all, budgets_, couples, rounded.bits, recipe_.swap, true_loss);
    rounded.bits = exchange.bits;
  } else {
    rounded = quant::round_each(all, quant::rounding_of(recipe_.rounding), couples);
  }
  freeze(rounded.bits);
  auto next = learned.bits.begin();
  for (quant::Quantizer* q : workload_.quantizers) {
    q->set_learned_bits({next, next + q->width_count()});
    next += q->width_count();
  }
  nlohmann::ordered_json report = nlohmann::ordered_json::object();
  for (const quant::Budget& budget : budgets_) {
    const double reached = budget.cost.exact(rounded.bits);
    report[budget.cost.name] = {{"unit", budget.cost.unit},
                                {"target", budget.target},
                                {"reached", reached},
                                {"slack", budget.target - reached}};
  }
  if (!budgets_.empty() && to_budget())
    report["rounding"] = {{"exact", rounded.exact},
                          {"losses", recipe_.losses},
                          {"tried", exchange.tried},
                          {"exchanged", exchange.exchanged}};
  return report;
}

}  // namespace fraqat::run
