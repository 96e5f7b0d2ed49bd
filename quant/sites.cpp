#include "quant/sites.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

std::string Site::name() const {
  const std::string& tensor = quantizer->info().name;
  return quantizer->width_count() == 1 ? tensor : tensor + "[" + std::to_string(row) + "]";
}

std::vector<Site> sites_of(const std::vector<Quantizer*>& quantizers) {
  std::vector<Site> sites;
  for (Quantizer* q : quantizers)
    for (Index row = 0; row < q->width_count(); ++row)
      sites.push_back({q, row, q->info().elements / q->width_count()});
  return sites;
}

std::vector<std::size_t> first_sites(const std::vector<Quantizer*>& quantizers) {
  std::vector<std::size_t> first;
  std::size_t next = 0;
  for (const Quantizer* q : quantizers) {
    first.push_back(next);
    next += static_cast<std::size_t>(q->width_count());
  }
  return first;
}

std::vector<Width> hard_widths(const std::vector<Quantizer*>& quantizers) {
  std::vector<Width> widths;
  for (const Site& site : sites_of(quantizers))
    widths.push_back(site.quantizer->hard_width(site.row));
  return widths;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
