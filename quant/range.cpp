#include "quant/range.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

std::unique_ptr<RangePolicy> make_range(std::string_view name, const RangeOptions& options) {
  if (name == "minmax") return minmax_range(options);
  if (name == "percentile") return percentile_range(options);
  if (name == "mse") return mse_range(options);
  if (name == "kl") return kl_range(options);
  check(name == "learned", "[quant] no such range policy: got ", name,
        "; expected minmax, percentile, mse, kl or learned");
  return learned_range(options);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
