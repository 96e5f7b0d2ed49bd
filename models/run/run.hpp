#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/run/recipe.hpp"

namespace fraqat::run {

/// Is told how a run goes on: the command line draws progress with it, a
/// program may ignore it.
class Observer {
 public:
  virtual ~Observer() = default;

  /// A stretch of `steps` steps begins: "float", "uniform-4", "search" and
  /// "finetune" (steps of training), "calibrate", "measure" and "re-estimate" (batches),
  /// "verify" (images).
  virtual void phase(std::string_view /*name*/, Index /*steps*/) {}
  virtual void step(Index /*done*/, double /*loss*/) {}

  /// A line of metrics.jsonl, after each epoch.
  virtual void metrics(const nlohmann::ordered_json& /*line*/) {}

  /// Something a person should read.
  virtual void note(std::string_view /*text*/) {}

  /// True once the run should save and stop (a signal).
  virtual bool stopping() { return false; }
};

struct Options {
  std::filesystem::path out;   // run folder, made if missing
  std::filesystem::path from;  // float checkpoint or PyTorch's weights: skips float; empty: train
  std::filesystem::path data_dir;      // --data-dir; empty: the search path
  std::vector<std::string> arguments;  // for run.json
  bool resume = false;                 // go on with the unfinished run in `out`
  bool trace = false;  // trace.csv: the first step of every epoch, and one that fails
};

/// The whole way of a recipe: float training, uniform baselines, calibration,
/// search, rounding, fine-tuning, re-estimation, packing, verification; without
/// `quant.enabled` float training is all, and nothing is packed or verified.  Leaves
/// the run folder and returns what run.json holds (README.md describes both).
///
/// A run that was killed, or stopped, goes on with `resume` and ends with the
/// bytes it would have had; not with `from`, which it remembers.
///
/// Throws Stopped (session.hpp) where the observer wants to stop.  A difference
/// that verification finds is no Error: see "verified" in the result.
nlohmann::ordered_json run(const Recipe& recipe, const Options& options, Observer& observer);

/// What run() returned, if the run in `folder` has ended; else an empty value.
nlohmann::ordered_json finished_run(const std::filesystem::path& folder);

}  // namespace fraqat::run
