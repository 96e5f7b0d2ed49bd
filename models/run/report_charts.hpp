#pragma once

#include <span>
#include <string>

#include "models/run/report_data.hpp"

/// The charts of a report, as SVG; empty where a run has nothing to draw.
namespace fraqat::run {

/// What of each epoch is drawn, and how the axis is called.
struct Quantity {
  double Epoch::*value;
  const char* name;
  double most_range = std::numeric_limits<double>::infinity();
};

/// A quantity over the epochs of the learned way, phases shaded; the uniform
/// networks as thin lines, from where float training ended.
std::string learning_chart(const RunData& run, const Quantity& quantity);

enum class Kind { weight, activation };

/// The learned bit-width of every tensor of this kind, epoch by epoch.
std::string bits_chart(const RunData& run, Kind kind);

/// Prices of one unit: of which budgets, in the loss that `factor` units more would take off.
struct PriceUnit {
  std::vector<std::pair<std::string, std::string>> budgets;  // names in metrics, and for people
  const char* axis;
  double factor = 1;
};

/// What more bits, or bytes, or bit operations are worth, where a budget set the price.
std::string price_chart(const RunData& run, const PriceUnit& unit);

/// Bits (bars: whole, ticks: as learned) and bytes at the end of the run.
std::string final_bits_chart(const RunData& run, Kind kind);
std::string final_bytes_chart(const RunData& run);

/// The colour of run `r` where there are several.
std::string run_style(std::size_t r);

/// Every network of every run.
std::string size_chart(std::span<const RunData> runs);

}  // namespace fraqat::run
