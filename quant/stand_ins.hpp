#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "quant/quantizer.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Something else in the slots that have a quantizer; the quantizers are back when this goes.
class StandIns {
 public:
  /// make(quantizer), a shared_ptr in and out, is what takes its place.
  template <class Make>
  StandIns(nn::Module& model, Make make) {
    for (auto& [name, slot] : nn::slots(model)) {
      if (!dynamic_cast<Quantizer*>(slot->get())) continue;
      auto quantizer = std::static_pointer_cast<Quantizer>(slot->exchange(nullptr));
      replaced_.emplace_back(slot, quantizer);
      slot->fill(make(quantizer));
    }
  }
  ~StandIns() {
    for (auto& [slot, quantizer] : replaced_) slot->fill(std::move(quantizer));
  }
  StandIns(const StandIns&) = delete;
  StandIns& operator=(const StandIns&) = delete;

 private:
  std::vector<std::pair<nn::Slot*, std::shared_ptr<Quantizer>>> replaced_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
