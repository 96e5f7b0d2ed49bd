#include "tools/model_file.hpp"

#include <filesystem>

#include "core/text.hpp"
#include "data/registry.hpp"
#include "models/run/deployment.hpp"
#include "models/run/session.hpp"
#include "models/weights.hpp"

namespace fraqat::tools {

namespace fs = std::filesystem;

const std::string& ModelFile::data() const {
  return packed ? packed->info.data : checkpoint->recipe.data;
}

Shape ModelFile::sample() const {
  return packed ? packed->graph.input.shape : data::info(data()).sample;
}

std::shared_ptr<const data::Dataset> ModelFile::test_set(const std::string& name,
                                                         const std::string& data_dir,
                                                         Index limit) const {
  const std::string& of = name.empty() ? data() : name;
  const Shape images = data::info(of).sample;
  check_usage(images == sample(), "[model] --data ", of,
              " is not for this network: got samples of ", images, "; expected ", sample(),
              ", as those of ", data());
  return data::open(of, data::Split::test, data_dir, limit);
}

deploy::Graph ModelFile::graph() const {
  if (packed) return packed->graph;
  check_input(run::is_deployable(*checkpoint->model), "[model] ", in_quotes(path),
              ": no integer widths: got a checkpoint of phase ", in_quotes(checkpoint->phase),
              "; expected one of a network that is rounded; try checkpoints/final.safetensors");
  return run::lower(*checkpoint->model, checkpoint->recipe);
}

deploy::ModelInfo ModelFile::info() const {
  return packed ? packed->info : run::model_info(checkpoint->recipe);
}

ModelFile load_model(const std::string& path) {
  std::error_code error;
  ModelFile file{
      fs::is_directory(path, error) ? (fs::path(path) / "model.fraqat").string() : path, {}, {}};
  if (run::is_checkpoint(nn::read_safetensors(file.path).metadata))
    file.checkpoint = run::load_checkpoint(file.path);
  else
    file.packed = deploy::read_packed(file.path);
  return file;
}

ModelFile import_weights(const std::string& model, const std::string& data,
                         const std::string& weights) {
  check_usage(!data.empty(), "[model] ", in_quotes(weights),
              " does not say what its network is "
              "for: got --weights without --data; expected --data NAME");
  run::Loaded loaded;
  loaded.recipe.model = model;
  loaded.recipe.data = data;
  loaded.phase = "float";
  loaded.model = run::make_model(loaded.recipe);
  models::load_pytorch(*loaded.model, data::info(data).sample, weights);
  return {weights, {}, std::move(loaded)};
}

std::string run_folder(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return (folder.filename() == "checkpoints" ? folder.parent_path() : folder).string();
}

}  // namespace fraqat::tools
