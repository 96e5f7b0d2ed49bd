#include "quant/given_widths.hpp"

#include <map>
#include <utility>

namespace fraqat::inline FRAQAT_PRECISION::quant {

GivenWidths::GivenWidths(const WidthsByLayer& widths, std::string what)
    : widths_(widths), what_(std::move(what)) {
  std::map<std::string, int> seen;
  for (const auto& [layer, bits] : widths) {
    const auto [found, first] = seen.emplace(layer, bits);
    check(first, "[attach] layer ", layer, " is given a width twice: got ", found->second, " and ",
          bits, "; expected one");
  }
}

void GivenWidths::apply(const std::string& layer, TensorSpec& spec) {
  if (met_.insert(layer).second) names_ += (names_.empty() ? "" : ", ") + layer;
  for (const auto& [name, bits] : widths_)
    if (name == layer) {
      spec.bits = "fixed";
      spec.start = bits;
    }
}

void GivenWidths::check_all_met() const {
  for (const auto& [layer, bits] : widths_)
    check(met_.count(layer) > 0, "[attach] a width is given for a layer that does not exist or ",
          "has no ", what_, ": got ", layer, "; expected one of ", names_);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
