#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "core/file.hpp"
#include "data/registry.hpp"
#include "models/run/journal.hpp"
#include "models/run/run.hpp"
#include "nn/module.hpp"
#include "quant/attach.hpp"

namespace fraqat::run {

/// The journal's file in the run folder.
constexpr const char* journal_name = "progress.safetensors";

/// Thrown once a stopping run has saved what it had.
struct Stopped {
  std::filesystem::path checkpoint;
};

/// What all phases of a run share: the recipe, the data, the observer, and the
/// metrics files they write to.
class Session {
 public:
  /// Opens the data, makes the run folder, and begins its recipe.toml and metrics
  /// anew; a folder that holds a finished run, or that another session is using, is
  /// refused.  All three must outlive the session.
  Session(const Recipe& recipe, const Options& options, Observer& observer);

  const Recipe& recipe() const { return recipe_; }
  const Options& options() const { return options_; }
  Observer& observer() const { return observer_; }
  const data::SetInfo& data_info() const { return data::info(recipe_.data); }
  const std::shared_ptr<const data::Dataset>& train() const { return train_; }
  const std::shared_ptr<const data::Dataset>& test() const { return test_; }

  std::filesystem::path file(const std::string& name) const { return options_.out / name; }
  std::filesystem::path checkpoint(const std::string& phase) const {
    return options_.out / "checkpoints" / (phase + ".safetensors");
  }

  /// Of the run so far, earlier parts of a resumed one included.
  double seconds() const;

  /// The float checkpoint to start from, if any; an Error if the file has changed since the run
  /// began.
  std::filesystem::path from() const;

  Journal& journal() const { return journal_; }

  /// Saves the journal with `stretch` under way; the second form, once a minute.
  void save(const Journal::Stretch& stretch, const Position& position) const;
  void save_now_and_then(const Journal::Stretch& stretch, const Position& position) const;

  /// Removes the journal: run.json is written, nothing is left to resume.
  void end() const;

  /// Writes a line to metrics.jsonl and metrics.csv and shows it to the observer.
  void record(const nlohmann::ordered_json& line) const;

  /// Saves `model` and throws Stopped; the second, if the observer wants to stop.
  [[noreturn]] void stop(nn::Module& model, const Recipe& recipe, const std::string& phase) const;
  void stop_if_asked(nn::Module& model, const Recipe& recipe, const std::string& phase) const;

 private:
  const Recipe& recipe_;
  const Options& options_;
  Observer& observer_;
  std::shared_ptr<const data::Dataset> train_, test_;
  DirectoryLock lock_;
  mutable Journal journal_;
  std::chrono::steady_clock::time_point start_;
  double seconds_before_ = 0;  // of the parts that were cut off
  mutable double saved_at_ = 0;

  void begin();
  void go_on();
  void note_metrics() const;
};

/// The network of a recipe, float.
std::unique_ptr<nn::Module> make_model(const Recipe& recipe);

/// What the recipe says about quantizers, in the words of quant.
quant::Spec quant_spec(const Recipe& recipe);

/// One zero image of the recipe's data, to trace a network with.
Tensor sample_image(const Recipe& recipe);

}  // namespace fraqat::run
