#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "models/run/bit_search.hpp"
#include "models/run/updates.hpp"
#include "nn/state.hpp"

namespace fraqat::run {

/// How far a stretch of training has come.
struct Position {
  int epoch = 0;                  // finished epochs
  Index step = 0;                 // finished steps of the epoch under way
  double sum = 0;                 // of their losses
  double seconds = 0;             // they took
  double samples_per_second = 0;  // in the last whole epoch
};

/// Where a run stands, in one file of its folder: the network in training, its
/// optimizers, its search, and what was said of all that is finished.  A run that
/// was killed does again what came after the last save, with the same bits: random
/// numbers have addresses and batches have numbers, so nothing else needs saving.
class Journal {
 public:
  /// Of what trains; all outlive the call.
  struct Stretch {
    std::string key;  // unlike that of any other stretch of the run
    nn::Module& model;
    Updates& updates;
    BitSearch* search = nullptr;
  };

  /// An empty journal, to be saved as `path`.
  explicit Journal(std::filesystem::path path) : path_(std::move(path)) {}

  /// Replaces this by what `path` holds.  An Error{input} if it is no journal.
  void read();

  /// What finished parts said, by name.  Saved along with each save().
  nlohmann::ordered_json notes = nlohmann::ordered_json::object();

  /// What a stretch said that had ended when the file was read, once; else null.
  nlohmann::json take_finished(const std::string& key);
  void finish(const std::string& key, const nlohmann::json& said);

  /// Saves the notes alone, or with a stretch that is under way.
  void save() const;
  void save(const Stretch& stretch, const Position& position) const;

  /// Puts `stretch` back where read() found it, and says where that is; a stretch
  /// that the file does not hold is left alone, at its beginning.  First the widths,
  /// because they decide what there is to train.
  void restore_widths(const std::string& key, nn::Module& model) const;
  Position restore(const Stretch& stretch);

 private:
  void write(nn::NamedTensors tensors, nn::Metadata metadata) const;

  std::filesystem::path path_;
  nlohmann::json finished_ = nlohmann::json::object();   // as read, until taken
  nn::NamedTensors tensors_;                             // as read, until restored
  nlohmann::json under_way_ = nlohmann::json::object();  // likewise
};

}  // namespace fraqat::run
