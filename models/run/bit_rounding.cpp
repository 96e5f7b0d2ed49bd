#include "models/run/bit_rounding.hpp"

#include <algorithm>
#include <optional>

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
double sensitivity(double lowest, double highest, double bits, double gain, double price,
                   double share) {
  if (price <= 0) return share;
  if (bits < lowest + 0.05) return std::clamp(gain, 0.05 * price, price);
  if (bits > highest - 0.05) return std::clamp(gain, price, 20 * price);
  return price;
}

/// The widest that the recipe lets a tensor of this quantizer be.
double widest_of(const Recipe& recipe, const quant::Quantizer& q) {
  const bool weight = q.info().role == quant::Role::weight;
  return widest(weight ? recipe.weight : recipe.activation, recipe.curriculum);
}

/// The width of a tensor that has no choice; at the end of a curriculum, where it follows one.
quant::Width given_width(const Recipe& recipe, const quant::Site& site) {
  const quant::Quantizer& q = *site.quantizer;
  if (q.bits().name() != "schedule") return q.hard_width(site.row);
  return static_cast<int>(recipe.curriculum.widths.back());
}

/// What measure() has found, of the tensors that had a choice.
nlohmann::ordered_json sensitivity_of(const std::vector<quant::RoundingItem>& items) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const quant::RoundingItem& item : items) {
    if (item.allowed.size() < 2) continue;
    nlohmann::ordered_json bits = nlohmann::ordered_json::array();
    for (const quant::Width& width : item.allowed)
      width.whole() ? bits.push_back(width.whole_bits()) : bits.push_back(width.bits());
    all.push_back({{"name", item.name}, {"bits", std::move(bits)}, {"losses", item.losses}});
  }
  return all;
}

}  // namespace

std::vector<quant::Width> allowed_widths(const Recipe& recipe, const quant::Quantizer& quantizer) {
  const quant::Quantizer::Info& info = quantizer.info();
  const bool weight = info.role == quant::Role::weight;
  const double most = widest_of(recipe, quantizer);
  std::vector<quant::Width> all;
  for (const int bits : allowed_bits(recipe, weight))
    if (info.widths.find(bits) >= 0 && bits <= most) all.push_back(bits);
  for (const int levels : allowed_levels(recipe, weight)) {
    const auto width = quant::Width::of_levels(levels);
    if (quant::has_levels(info.widths, info.coding, width) && width.level_bits(info.coding) <= most)
      all.push_back(width);
  }
  const auto finer = [&](const quant::Width& a, const quant::Width& b) {
    const double one = a.level_bits(info.coding), other = b.level_bits(info.coding);
    return one != other ? one > other : a.bits() < b.bits();
  };
  std::sort(all.begin(), all.end(), finer);
  std::vector<quant::Width> useful;
  for (const quant::Width& width : all)
    if (useful.empty() || width.bits() < useful.back().bits()) useful.push_back(width);
  std::reverse(useful.begin(), useful.end());
  return useful;
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

bool BitRounding::measures() const { return to_budget() && recipe_.losses == "measured"; }

std::vector<quant::RoundingItem> BitRounding::items(const LearnedBits& learned) const {
  std::vector<quant::RoundingItem> items;
  for (std::size_t k = 0; k < sites_.size(); ++k) {
    const quant::Quantizer& q = *sites_[k].quantizer;
    const quant::Widths& widths = q.info().widths;
    const double share =
        static_cast<double>(sites_[k].elements) / elements_of(workload_, q.info().role);
    quant::RoundingItem item{sites_[k].name(), learned.bits[k], sites_[k].elements, 0, {}};
    item.coding = q.info().coding;
    const double highest = std::min<double>(widths.highest(), widest_of(recipe_, q));
    item.sensitivity =
        sensitivity(widths.lowest(), highest, item.bits, learned.gain[k], learned.price[k], share);
    item.allowed = is_learned(q) ? allowed_widths(recipe_, q)
                                 : std::vector<quant::Width>{given_width(recipe_, sites_[k])};
    check(!item.allowed.empty(), "[round] no width for ", item.name,
          ": got none that is allowed; expected one from ", widths.lowest(), " to ",
          widths.highest(), " and within its cap; try another round.allowed");
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
  LearnedBits start{{}, std::vector<double>(sites_.size()), std::vector<double>(sites_.size())};
  for (const quant::Site& site : sites_) start.bits.push_back(site.bits());
  if (to_budget())
    quant::check_feasible(items(start), budgets_, couples());
  else
    quant::round_each(items(start), quant::rounding_of(recipe_.rounding), couples());
}

Index BitRounding::losses_to_measure() const {
  if (!to_budget()) return 0;
  const Index exchanges = recipe_.swap > 0 ? recipe_.swap + 1 : 0;
  if (!measures()) return exchanges;
  Index count = 0;
  for (const quant::Site& site : sites_) {
    if (!is_learned(*site.quantizer)) continue;
    const auto widths = static_cast<Index>(allowed_widths(recipe_, *site.quantizer).size());
    if (widths > 1) count += widths;
  }
  return count + exchanges;
}

void BitRounding::freeze(const std::vector<quant::Width>& bits) const {
  auto next = bits.begin();
  for (quant::Quantizer* q : workload_.quantizers) {
    const auto end = next + q->width_count();
    q->freeze({next, end});
    next = end;
  }
}

/// What each tensor loses at each width, the others at their nearest; noise must
/// not make more bits look worse.
void BitRounding::measure(std::vector<quant::RoundingItem>& items, const TrueLoss& loss) const {
  const std::vector<quant::Width> nearest = quant::round_each(items, quant::Rounding::nearest).bits;
  std::optional<double> at_nearest;  // the same for every tensor
  const auto loss_at = [&](std::size_t k, const quant::Width& b) {
    if (b == nearest[k] && at_nearest) return *at_nearest;
    std::vector<quant::Width> bits = nearest;
    bits[k] = b;
    freeze(bits);
    const double measured = loss();
    if (b == nearest[k]) at_nearest = measured;
    return measured;
  };
  for (std::size_t k = 0; k < items.size(); ++k) {
    std::vector<double>& losses = items[k].losses;
    for (const quant::Width& b : items[k].allowed) {
      if (items[k].allowed.size() > 1) {
        const double measured = loss_at(k, b);
        losses.push_back(losses.empty() ? measured : std::min(measured, losses.back()));
      } else {
        losses.push_back(0);
      }
    }
    const double least = losses.back();
    for (double& one : losses) one -= least;
  }
}

nlohmann::ordered_json BitRounding::budgets_met(const std::vector<quant::RoundingItem>& items,
                                                const std::vector<quant::Width>& bits) const {
  nlohmann::ordered_json met = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < budgets_.size(); ++i) {
    const quant::Budget& budget = budgets_[i];
    const double reached = budget.cost.exact(bits);
    nlohmann::ordered_json& one = met[budget.cost.name];
    one = {{"unit", budget.cost.unit},
           {"target", budget.target},
           {"reached", reached},
           {"slack", budget.target - reached}};
    if (!to_budget()) continue;
    if (std::string why = quant::why_unused(items, budgets_, couples(), bits, i); !why.empty())
      one["unused"] = std::move(why);
  }
  return met;
}

nlohmann::ordered_json BitRounding::round(const LearnedBits& learned, const TrueLoss& loss) const {
  const quant::Couples couples = this->couples();
  std::vector<quant::RoundingItem> all = items(learned);
  quant::Rounded rounded;
  quant::Exchange exchange;
  if (to_budget()) {
    if (measures()) measure(all, loss);
    rounded = quant::round_rows_to_budgets(all, budgets_, couples, rows());
    const auto true_loss = [&](const std::vector<quant::Width>& bits) {
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
  // Without a search nothing was learned, and where it would have started means nothing.
  std::vector<double> whole;
  for (std::size_t k = 0; k < all.size(); ++k)
    whole.push_back(rounded.bits[k].level_bits(all[k].coding));
  auto next = recipe_.search.epochs > 0 ? learned.bits.begin() : whole.begin();
  for (quant::Quantizer* q : workload_.quantizers) {
    q->set_learned_bits({next, next + q->width_count()});
    next += q->width_count();
  }
  nlohmann::ordered_json report = budgets_met(all, rounded.bits);
  if (!budgets_.empty() && to_budget())
    report["rounding"] = {{"exact", rounded.exact},
                          {"losses", recipe_.losses},
                          {"tried", exchange.tried},
                          {"exchanged", exchange.exchanged}};
  if (measures())
    if (auto sensitivity = sensitivity_of(all); !sensitivity.empty())
      report["sensitivity"] = std::move(sensitivity);
  return report;
}

}  // namespace fraqat::run
