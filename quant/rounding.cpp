#include "quant/rounding.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

Width round_one(const RoundingItem& item, Rounding rounding) {
  const std::vector<Width>& allowed = item.allowed;
  const auto coarser = [&](const Width& width, double bits) {
    return item.resolution(width) < bits;
  };
  const auto above = std::lower_bound(allowed.begin(), allowed.end(), item.bits, coarser);
  const Width up = above == allowed.end() ? allowed.back() : *above;
  const bool met = above != allowed.end() && item.resolution(*above) == item.bits;
  const Width down = met ? *above : above == allowed.begin() ? allowed.front() : *(above - 1);
  if (rounding == Rounding::ceil) return up;
  if (rounding == Rounding::floor) return down;
  const double to_up = std::abs(item.resolution(up) - item.bits);
  return to_up <= std::abs(item.bits - item.resolution(down)) ? up : down;
}

}  // namespace

std::size_t RoundingItem::position(const Width& width) const {
  return static_cast<std::size_t>(std::find(allowed.begin(), allowed.end(), width) -
                                  allowed.begin());
}

double RoundingItem::loss(std::size_t i) const {
  return losses.empty() ? sensitivity * std::pow(4.0, bits - resolution(allowed[i])) : losses[i];
}

double expected_loss(const std::vector<RoundingItem>& items, const std::vector<Width>& bits) {
  double sum = 0;
  for (std::size_t k = 0; k < items.size(); ++k) sum += items[k].loss(items[k].position(bits[k]));
  return sum;
}

void check_items(const std::vector<RoundingItem>& items) {
  for (const RoundingItem& item : items) {
    check(!item.allowed.empty(), "[round] no allowed width for ", item.name);
    const auto rises = [&](const Width& a, const Width& b) {
      return item.resolution(a) < item.resolution(b);
    };
    check(std::is_sorted(item.allowed.begin(), item.allowed.end(), rises),
          "[round] allowed widths of ", item.name, " must rise");
    check(std::isfinite(item.bits), "[round] the learned width of ", item.name, " is no number");
    check(item.losses.empty() || item.losses.size() == item.allowed.size(),
          "[round] the losses of ", item.name, " are not one for each allowed width");
  }
}

Rounding rounding_of(std::string_view name) {
  if (name == "nearest") return Rounding::nearest;
  if (name == "ceil") return Rounding::ceil;
  if (name == "floor") return Rounding::floor;
  check(name == "budget", "[round] no such rounding: got ", name,
        "; expected nearest, ceil, floor or budget");
  return Rounding::budget;
}

Rounded round_each(const std::vector<RoundingItem>& items, Rounding rounding) {
  check_items(items);
  check(rounding != Rounding::budget, "[round] rounding to a budget needs a budget");
  Rounded result;
  for (const RoundingItem& item : items) result.bits.push_back(round_one(item, rounding));
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
