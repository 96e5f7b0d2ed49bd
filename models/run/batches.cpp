#include "models/run/batches.hpp"

#include "data/augment.hpp"

namespace fraqat::run {

data::LoaderOptions loader_options(const Recipe& recipe) {
  data::LoaderOptions options;
  options.batch = recipe.batch;
  options.drop_last = true;
  options.seed = recipe.seed;
  return options;
}

Index batch_with_statistics(const Recipe& recipe, Index samples) {
  Index batch = recipe.batch;
  while (batch < samples && samples % batch == 1) ++batch;
  return batch;
}

std::shared_ptr<const data::Dataset> augmented(std::shared_ptr<const data::Dataset> set,
                                               const Recipe& recipe) {
  if (recipe.augment == "none") return set;
  constexpr Index padding = 4;
  set = std::make_shared<data::RandomCrop>(std::move(set), padding, recipe.seed);
  return std::make_shared<data::RandomFlip>(std::move(set), recipe.seed);
}

}  // namespace fraqat::run
