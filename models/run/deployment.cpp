#include "models/run/deployment.hpp"

#include <algorithm>

#include "models/run/session.hpp"
#include "quant/deploy/lower.hpp"

namespace fraqat::run {

bool is_deployable(nn::Module& model) {
  const std::vector<quant::Quantizer*> all = quant::quantizers(model);
  return !all.empty() && std::all_of(all.begin(), all.end(), [](const quant::Quantizer* q) {
    return q->bits().decided() && q->mode() == quant::Quantizer::Mode::on;
  });
}

deploy::Graph lower(nn::Module& model, const Recipe& recipe) {
  return deploy::lower(model, sample_image(recipe));
}

deploy::ModelInfo model_info(const Recipe& recipe) {
  const data::SetInfo& info = data::info(recipe.data);
  return {recipe.model, recipe.data, info.class_names, info.normalization.mean,
          info.normalization.deviation};
}

deploy::Batches batches_of(const std::shared_ptr<const data::Dataset>& dataset, int batch) {
  data::LoaderOptions options;
  options.batch = batch;
  options.shuffle = false;
  const auto loader = std::make_shared<data::Loader>(dataset, options);
  loader->start_epoch(0);
  return [loader](deploy::Batch& to) {
    const data::Batch* from = loader->next();
    if (!from) return false;
    to = {from->images, from->labels};
    return true;
  };
}

}  // namespace fraqat::run
