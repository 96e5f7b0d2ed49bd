#pragma once

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a run folder says, checked, as `report` draws it.  A number that is
/// missing is NaN.
namespace fraqat::run {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

/// False if a network costs more than its budget, by more than sums of bits are rounded.
inline bool keeps_budget(double reached, double target) { return !(reached > target * (1 + 1e-9)); }

/// A line of metrics.jsonl.
struct Epoch {
  std::string phase;
  double epoch = missing, loss = missing, accuracy = missing;
  double weight_bits = missing, activation_bits = missing;  // averages
  std::vector<std::pair<std::string, double>> prices;       // by the name of the budget
  std::vector<std::pair<std::string, double>> bits;         // by slot
};

/// One way to the same network: float, uniform, learned.
struct Arm {
  std::string name;
  double accuracy = missing, loss = missing, bytes = missing;
  double weight_bits = missing, activation_bits = missing;
};

/// A quantized tensor at the end of the run.
struct FinalTensor {
  std::string name, layer, role;
  double elements = missing, learned_bits = missing, bits = missing, bytes = missing;
  double levels = missing;           // that are no power of two
  std::vector<double> channel_bits;  // of each output channel, if they differ
};

struct RunData {
  std::filesystem::path folder;
  std::string name;             // of the recipe, or of the folder
  nlohmann::ordered_json json;  // run.json; empty while the run goes on
  std::string recipe;           // recipe.toml
  std::vector<Epoch> epochs;
  std::vector<Arm> arms;
  std::vector<FinalTensor> tensors;

  /// The last name in the folder's path.
  std::string folder_name() const {
    return (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  }

  bool finished() const { return !json.empty(); }

  /// json[key] or, with a dot, json[key][key], as a number or as text.
  double number(std::string_view key) const;
  std::string text(std::string_view key) const;

  /// The arm called `name`, or nullptr.
  const Arm* arm(std::string_view name) const;
};

RunData read_run(const std::filesystem::path& folder);

/// True for the arms that others are compared with: "uniform-8", "random-1", "float-longer", ...
inline bool is_baseline(std::string_view phase) {
  return phase.starts_with("uniform") || phase.starts_with("random") || phase == "float-longer";
}

}  // namespace fraqat::run
