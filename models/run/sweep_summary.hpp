#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/run/sweep.hpp"
#include "models/run/sweep_statistics.hpp"

/// What the runs of a sweep have come to.
namespace fraqat::run {

/// A run of a row that has ended, and what its run.json says.
struct SweepRun {
  const SweepRow* row;
  std::uint64_t seed;
  nlohmann::ordered_json result;
};

enum class RowKind { full, uniform, learned, other };

/// A network with a name, over all seeds that have ended.
struct SummaryRow {
  /// One seed.
  struct Sample {
    std::uint64_t seed = 0;
    SizePoint point;
    double weight_bits = 0, activation_bits = 0, full_accuracy = 0, seconds = 0;
    // Accuracy on the way of the learned arm; NaN for others.
    double fractional = 0, searched = 0, rounded = 0;
    std::string hash;
    bool verified = true;
  };

  /// How far above the straight line between two uniform rows, seed by seed.
  struct Distance {
    Spread spread;
    std::string below, above;  // their names
  };

  std::string name;
  std::string row, arm;        // of the sweep file, of its runs; no row: the float network of all
  std::string start;           // rows of one start are compared with each other ...
  std::pair<bool, int> codes;  // ... and of one kind of codes: narrow_range, sum_bits
  RowKind kind = RowKind::other;
  std::vector<Sample> samples;  // by seed

  std::optional<Distance> over_line;
  bool on_front = false;

  Spread accuracy() const;
  Spread bytes() const;
  SizePoint point() const { return {bytes().mean, accuracy().mean}; }
  bool verified() const;
};

/// What every writer of a sweep's result shares.
struct Summary {
  std::string sweep, recipe, command;
  std::size_t runs = 0, finished = 0;  // of the rows, all seeds
  std::vector<SummaryRow> rows;
  nlohmann::ordered_json failures = nlohmann::ordered_json::array();  // {"row", "seed", "error"}
};

/// The rows of finished `runs`, in the order of the sweep, the float networks first.
std::vector<SummaryRow> summarise(const Sweep& sweep, const std::vector<SweepRun>& runs);

/// sweep.json; README.md has the keys.
nlohmann::ordered_json to_json(const Summary& summary);

const char* name_of(RowKind kind);

}  // namespace fraqat::run
