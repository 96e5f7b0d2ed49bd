#include "quant/cost.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr double bits_per_byte = 8;

/// A number of bits, or of bit operations, as a fraction.
struct Amount {
  Index above = 0, below = 1;

  Index whole() const { return (above + below - 1) / below; }

  /// Times the stored bits of a code: 8 bytes / codes of a radix.
  Amount times(const Width& width) const {
    if (width.whole()) return {above * width.whole_bits(), below};
    const Radix radix = radix_of(width.levels());
    return {above * 8 * radix.bytes, below * radix.codes};
  }

  /// Terms of a stream differ in whole factors, if at all.
  void add(const Amount& more) {
    above += more.above;
    below = more.below;
  }
};

Amount product(const Sum::Term& term, std::span<const Width> widths) {
  const Amount left = Amount{term.count}.times(widths[term.left]);
  return term.right == Sum::none ? left : left.times(widths[term.right]);
}

/// True if `a` is never larger than `b`, whatever the widths are.
bool never_larger(const Sum& a, const Sum& b) {
  const auto counts = [](const Sum& sum) {
    std::map<std::size_t, Index> total;
    for (const Sum::Term& term : sum.terms) total[term.left] += term.count;
    return total;
  };
  std::map<std::size_t, Index> in_b = counts(b);
  for (const auto& [tensor, count] : counts(a))
    if (in_b[tensor] < count) return false;
  // Each term of `a` is rounded up to bytes by itself: keep it if that could matter.
  return a.constant <= b.constant && a.terms.size() <= b.terms.size();
}

std::vector<Sum> largest_possible(const std::vector<Sum>& all) {
  std::vector<Sum> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool needed = true;
    for (std::size_t j = 0; j < all.size() && needed; ++j)
      if (i != j && never_larger(all[i], all[j]))
        needed = never_larger(all[j], all[i]) && i < j;  // of equal ones, the first
    if (needed) kept.push_back(all[i]);
  }
  return kept;
}

}  // namespace

double Sum::value(std::span<const double> widths) const {
  double sum = static_cast<double>(constant) / (bytes ? 1 : divisor);
  for (const Term& term : terms) {
    const double share = static_cast<double>(term.count) / divisor;
    sum += share * widths[term.left] * (term.right == none ? 1 : widths[term.right]);
  }
  return sum;
}

void Sum::add_slopes(std::span<const double> widths, std::span<double> slopes) const {
  for (const Term& term : terms) {
    const double share = static_cast<double>(term.count) / divisor;
    slopes[term.left] += term.right == none ? share : share * widths[term.right];
    if (term.right != none) slopes[term.right] += share * widths[term.left];
  }
}

Index Sum::fineness() const {
  const auto shared = [](const Term& term) { return term.stream != none; };
  return bytes && std::any_of(terms.begin(), terms.end(), shared) ? 8 : 1;
}

Index Sum::count(const Term& term, std::span<const Width> widths, Index fineness) const {
  if (!bytes || term.stream != none) return product(term, widths).whole();
  return fineness * widths[term.left].bytes(term.count);
}

Index Sum::term_limit(Index limit) const {
  if (fineness() == 1) return limit - constant;
  Index streams = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) streams += ends_stream(i);
  return 8 * (limit - constant) - 7 * streams;
}

bool Sum::ends_stream(std::size_t i) const {
  return terms[i].stream != none &&
         (i + 1 == terms.size() || terms[i + 1].stream != terms[i].stream);
}

Index Sum::count(std::span<const Width> widths) const {
  Index sum = constant;
  Amount stream;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (terms[i].stream == none) {
      sum += count(terms[i], widths, 1);
      continue;
    }
    stream.add(product(terms[i], widths));
    if (!ends_stream(i)) continue;
    sum += bytes ? Width(1).bytes(stream.whole()) : stream.whole();
    stream = {};
  }
  return sum;
}

Index Sum::limit(double target) const {
  constexpr double most = 0x1p59;  // times 8 it is an Index still, see term_limit()
  return static_cast<Index>(
      std::min(most, std::floor(bytes ? target + 1e-9 : target * divisor + 1e-6)));
}

double Sum::scale() const {
  constexpr double usual_width = 4;
  double sum = 0;
  for (const Term& term : terms)
    sum += static_cast<double>(term.count) * (term.right == none ? 1 : 2 * usual_width);
  return sum > 0 ? sum / divisor : 1;
}

double Cost::value(std::span<const double> widths) const {
  double largest = 0;
  for (const Sum& sum : sums) largest = std::max(largest, sum.value(widths));
  return largest;
}

std::vector<double> Cost::slopes(std::span<const double> widths) const {
  constexpr double as_large = 1 - 1e-9;
  std::vector<double> slopes(widths.size());
  const double largest = value(widths);
  double count = 0;
  for (const Sum& sum : sums) {
    if (sum.value(widths) < as_large * largest) continue;
    sum.add_slopes(widths, slopes);
    ++count;
  }
  for (double& slope : slopes) slope /= std::max(1.0, count);
  return slopes;
}

double Cost::scale() const {
  double most = 0;
  for (const Sum& sum : sums) most = std::max(most, sum.scale());
  return most;
}

double Cost::exact(std::span<const Width> widths) const {
  double largest = 0;
  for (const Sum& sum : sums) {
    const auto count = static_cast<double>(sum.count(widths));
    largest = std::max(largest, sum.bytes ? count : count / sum.divisor);
  }
  return largest;
}

Index bits_of(Index count, const Width& width) { return Amount{count}.times(width).whole(); }

Cost average_bits(const Workload& workload, Role role) {
  Sum sum;
  sum.divisor = 0;
  const std::vector<Site> sites = sites_of(workload.quantizers);
  for (std::size_t k = 0; k < sites.size(); ++k) {
    if (sites[k].quantizer->info().role != role) continue;
    sum.terms.push_back({k, Sum::none, sites[k].elements});
    sum.divisor += static_cast<double>(sites[k].elements);
  }
  return {role == Role::weight ? "weight" : "activation", "average_bits", {std::move(sum)}};
}

Cost model_bytes(const Workload& workload) {
  Sum sum;
  sum.bytes = true;
  sum.divisor = bits_per_byte;
  const std::vector<Site> sites = sites_of(workload.quantizers);
  for (std::size_t k = 0; k < sites.size(); ++k) {
    const Quantizer& q = *sites[k].quantizer;
    if (q.info().role != Role::weight) continue;
    const std::size_t first = k - static_cast<std::size_t>(sites[k].row);
    sum.terms.push_back(
        {k, Sum::none, sites[k].elements, q.width_count() == 1 ? Sum::none : first});
    if (sites[k].row == 0) sum.constant += 8 * q.info().channels + 4 * q.info().rows;
  }
  return {"bytes", "bytes", {std::move(sum)}};
}

Cost bit_operations(const Workload& workload) {
  Sum sum;
  const std::vector<std::size_t> first = first_sites(workload.quantizers);
  for (std::size_t i = 0; i < workload.products.size(); ++i) {
    const Workload::Product& product = workload.products[i];
    // Each row of a weight does its part of the multiplications; activations have one width.
    const Index rows = workload.quantizers[product.right]->width_count();
    for (Index row = 0; row < rows; ++row)
      sum.terms.push_back({first[product.left],
                           first[product.right] + static_cast<std::size_t>(row),
                           product.macs / rows, rows == 1 ? Sum::none : i});
  }
  return {"bops", "bops", {std::move(sum)}};
}

Cost peak_activation_bytes(const Workload& workload) {
  std::vector<Sum> moments;
  const std::vector<std::size_t> first = first_sites(workload.quantizers);
  for (const Workload::Moment& moment : workload.moments) {
    Sum sum;
    sum.bytes = true;
    sum.divisor = bits_per_byte;
    sum.constant = moment.other_bytes;
    for (const Workload::Room& room : moment.rooms)
      sum.terms.push_back({first[room.tensor], Sum::none, room.elements});
    moments.push_back(std::move(sum));
  }
  return {"activation_bytes", "bytes", largest_possible(moments)};
}

std::string in_digits(double amount) {
  std::ostringstream text;
  if (amount == std::floor(amount)) text << std::fixed << std::setprecision(0);
  text << amount;
  return text.str();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
