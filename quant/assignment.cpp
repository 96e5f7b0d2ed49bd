#include "quant/assignment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr Index most_cells = 8192;

/// ways[k][c]: how many assignments of the items from k on fill exactly c cells.
using Ways = std::vector<std::vector<double>>;

class Cells {
 public:
  Cells(const std::vector<RoundingItem>& items, Index limit)
      : items_(items), size_(std::max<Index>(1, limit / most_cells)) {}

  /// Cells that item `k` fills at a width, the last one perhaps in part.
  Index of(std::size_t k, const Width& width) const {
    return (bits_of(items_[k].elements, width) + size_ - 1) / size_;
  }
  Index size() const { return size_; }

 private:
  const std::vector<RoundingItem>& items_;
  Index size_;
};

Ways count_ways(const std::vector<RoundingItem>& items, const Cells& cells, Index capacity) {
  Ways ways(items.size() + 1, std::vector<double>(static_cast<std::size_t>(capacity + 1)));
  ways.back()[0] = 1;
  for (std::size_t k = items.size(); k-- > 0;) {
    double most = 0;
    for (const Width& a : items[k].allowed) {
      const auto step = static_cast<std::size_t>(std::min(cells.of(k, a), capacity + 1));
      for (std::size_t c = step; c < ways[k].size(); ++c)
        most = std::max(most, ways[k][c] += ways[k + 1][c - step]);
    }
    // Only proportions matter: a thousand items would overflow otherwise.
    if (most > 0)
      for (double& way : ways[k]) way /= most;
  }
  return ways;
}

/// An index from [first, last) with probability proportional to weight(index).
template <class Weight>
Index draw(Index first, Index last, double u, Weight&& weight) {
  double total = 0;
  for (Index i = first; i < last; ++i) total += weight(i);
  double left = u * total;
  Index chosen = last;
  for (Index i = first; i < last; ++i) {
    if (weight(i) <= 0) continue;
    chosen = i;
    if ((left -= weight(i)) < 0) break;
  }
  return chosen;
}

/// The least cost, in cells, to draw from: 99 % of the limit, or, where nothing
/// fills that much, the most there is.
Index least_filled(const std::vector<double>& ways, Index limit, Index slack, Index size) {
  const Index last = static_cast<Index>(ways.size()) - 1;
  Index fullest = last;
  while (fullest >= 0 && ways[static_cast<std::size_t>(fullest)] <= 0) --fullest;
  const Index wanted = (limit - limit / 100 + size - 1) / size + slack;
  return std::min(fullest, wanted);
}

std::vector<Width> smallest(const std::vector<RoundingItem>& items) {
  std::vector<Width> widths;
  for (const RoundingItem& item : items) widths.push_back(item.allowed.front());
  return widths;
}

Index cost_of(const std::vector<RoundingItem>& items, const std::vector<Width>& widths) {
  Index sum = 0;
  for (std::size_t k = 0; k < items.size(); ++k) sum += bits_of(items[k].elements, widths[k]);
  return sum;
}

/// Where much of the count was air: raises widths in a drawn order, a step each, as far as they
/// fit, until 99 % of the limit are used.
void fill(const std::vector<RoundingItem>& items, Index limit, const Philox& random,
          std::vector<Width>& drawn) {
  Index cost = cost_of(items, drawn);
  std::vector<std::size_t> open(items.size());
  std::iota(open.begin(), open.end(), std::size_t{0});
  for (std::uint32_t i = 0; cost < limit - limit / 100 && !open.empty(); ++i) {
    const auto u = static_cast<double>(uniform(random({0, 0, 1, i})[0]));
    const auto at = static_cast<std::size_t>(u * static_cast<double>(open.size()));
    const RoundingItem& item = items[open[at]];
    Width& width = drawn[open[at]];
    const std::size_t next = item.position(width) + 1;
    const Index more = next == item.allowed.size() ? limit
                                                   : bits_of(item.elements, item.allowed[next]) -
                                                         bits_of(item.elements, width);
    if (next < item.allowed.size() && cost + more <= limit) {
      width = item.allowed[next];
      cost += more;
    } else {
      open[at] = open.back();
      open.pop_back();
    }
  }
}

/// Evenly from all assignments that fit if every item's last cell is full; the smallest widths
/// where nothing does.
std::vector<Width> draw_in_cells(const std::vector<RoundingItem>& items, Index limit,
                                 const Philox& random) {
  const Cells cells(items, limit);
  const Index capacity = limit / cells.size();
  const Ways ways = count_ways(items, cells, capacity);
  // Every item may fill one cell in part: so much of the count may be air.
  const Index slack = cells.size() == 1 ? 0 : static_cast<Index>(items.size());
  const Index from = least_filled(ways[0], limit, slack, cells.size());
  if (from < 0) return smallest(items);
  const auto u = [&](std::uint32_t block) {
    return static_cast<double>(uniform(random({0, 0, 0, block})[0]));
  };
  Index left =
      draw(from, capacity + 1, u(0), [&](Index c) { return ways[0][static_cast<std::size_t>(c)]; });
  std::vector<Width> drawn;
  for (std::size_t k = 0; k < items.size(); ++k) {
    const std::vector<Width>& allowed = items[k].allowed;
    const Index chosen = draw(
        0, static_cast<Index>(allowed.size()), u(static_cast<std::uint32_t>(k) + 1), [&](Index i) {
          const Index rest = left - cells.of(k, allowed[static_cast<std::size_t>(i)]);
          return rest < 0 ? 0.0 : ways[k + 1][static_cast<std::size_t>(rest)];
        });
    drawn.push_back(allowed[static_cast<std::size_t>(chosen)]);
    left -= cells.of(k, drawn.back());
  }
  return drawn;
}

}  // namespace

std::vector<Width> random_assignment(const std::vector<RoundingItem>& items, Index limit,
                                     const Philox& random) {
  check_items(items);
  check(cost_of(items, smallest(items)) <= limit, "[round] no assignment fits the budget: got ",
        limit,
        " bits; expected at least those of the smallest allowed widths; try a larger budget "
        "or smaller widths");
  std::vector<Width> drawn = draw_in_cells(items, limit, random);
  fill(items, limit, random, drawn);
  return drawn;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
