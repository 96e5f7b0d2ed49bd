#pragma once

#include <set>
#include <string>

#include "quant/attach.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Widths that the user gives by layer name, while the network is gone through.
class GivenWidths {
 public:
  /// `what` a layer has that gets the width: "weight".  `widths` must outlive this; an Error where
  /// a layer stands there twice.
  GivenWidths(const WidthsByLayer& widths, std::string what);

  /// Fixes `spec`, of that tensor of `layer`, if a width is given for it.
  void apply(const std::string& layer, TensorSpec& spec);

  /// An Error that lists the layers that came, if one did not that a width is given for.
  void check_all_met() const;

 private:
  const WidthsByLayer& widths_;
  const std::string what_;
  std::set<std::string> met_;
  std::string names_;  // in the order of the network
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
