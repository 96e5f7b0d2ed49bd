#include "models/run/overfit.hpp"

#include <algorithm>

#include "data/loader.hpp"
#include "models/run/session.hpp"
#include "models/run/trace.hpp"
#include "models/run/updates.hpp"

namespace fraqat::run {
namespace {

struct Result {
  double loss = 0, accuracy = 0;
};

Result step(nn::Module& model, const data::Batch& batch) {
  Tape tape;
  const Var logits = model(Var(batch.images));
  const Var loss = op::softmax_cross_entropy(logits, batch.labels);
  tape.backward(loss);
  const Tensor& scores = logits.value();
  const Index samples = scores.dim(0), classes = scores.dim(1);
  Index right = 0;
  for (Index n = 0; n < samples; ++n) {
    const Real* row = scores.data() + n * classes;
    right += std::max_element(row, row + classes) - row == static_cast<Index>(batch.labels[n]);
  }
  return {static_cast<double>(loss.value().item()),
          100 * static_cast<double>(right) / static_cast<double>(samples)};
}

}  // namespace

nlohmann::ordered_json overfit_one_batch(const Recipe& recipe, const Options& options,
                                         Observer& observer, Index steps) {
  constexpr double known = 0.1;  // of the first loss
  const auto dataset =
      data::open(recipe.data, data::Split::train, options.data_dir, recipe.train_limit);
  data::Loader loader(dataset, {.batch = std::min<Index>(recipe.batch, dataset->size()),
                                .seed = recipe.seed,
                                .prefetch = false});
  loader.start_epoch(0);
  const data::Batch& batch = *loader.next();
  const std::unique_ptr<nn::Module> model = make_model(recipe);
  Training constant = recipe.float_training;
  constant.schedule = "constant";
  constant.warmup = 0;
  Updates updates(*model, recipe, constant, steps);
  observer.phase("overfit", steps);
  Result first, last;
  Index done = 0;
  while (done < steps && !observer.stopping()) {
    const TrainingStep position({recipe.seed, 0, static_cast<std::uint32_t>(done)}, false);
    last = step(*model, batch);
    check_numbers(("[overfit] step " + std::to_string(done + 1) + ": ").c_str(), last.loss,
                  nn::parameters(*model), [&] { step(*model, batch); });
    if (done == 0) first = last;
    observer.step(++done, last.loss);
    if (last.accuracy == 100 && last.loss < known * first.loss) break;
    updates.step(done - 1);
  }
  return {{"steps", done},
          {"first_loss", first.loss},
          {"loss", last.loss},
          {"accuracy", last.accuracy},
          {"learned", last.accuracy == 100 && last.loss < known * first.loss}};
}

}  // namespace fraqat::run
