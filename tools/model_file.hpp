#pragma once

#include <optional>
#include <string>

#include "data/dataset.hpp"
#include "models/run/checkpoint.hpp"
#include "quant/deploy/packed.hpp"

namespace fraqat::tools {

/// What the argument MODEL of a command is: a packed model or a checkpoint.
struct ModelFile {
  std::string path;
  std::optional<deploy::Packed> packed;
  std::optional<run::Loaded> checkpoint;

  /// The data set it was trained on.
  const std::string& data() const;

  /// Of one sample that it reads.
  Shape sample() const;

  /// The test set called `name`, its own if that is empty; an Error{usage} if the samples have
  /// another shape.  `limit` as that of data::open().
  std::shared_ptr<const data::Dataset> test_set(const std::string& name,
                                                const std::string& data_dir, Index limit) const;

  /// The integer graph: the packed one, or of a checkpoint with integer widths.
  deploy::Graph graph() const;

  /// What a packed model says about itself, of a checkpoint as well.
  deploy::ModelInfo info() const;
};

/// Reads `path`; a run folder stands for the packed model in it.
ModelFile load_model(const std::string& path);

/// The network called `model` for images of the data set `data`, with the weights of
/// PyTorch in `weights`, as if it were a checkpoint.
ModelFile import_weights(const std::string& model, const std::string& data,
                         const std::string& weights);

/// The files of the run that `path` belongs to: the folder above it, or above
/// checkpoints/.
std::string run_folder(const std::string& path);

}  // namespace fraqat::tools
