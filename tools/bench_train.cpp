#include <algorithm>
#include <chrono>

#include "core/parallel.hpp"
#include "core/watch.hpp"
#include "models/run/bit_search.hpp"
#include "models/run/session.hpp"
#include "models/run/updates.hpp"
#include "tools/bench.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

/// The images that a network was made for.
std::string data_of(const BenchTrain& options) {
  if (!options.data.empty()) return options.data;
  return options.model.starts_with("resnet") ? "cifar10" : "mnist";
}

run::Recipe recipe_of(const BenchTrain& options) {
  run::Recipe recipe;
  recipe.model = options.model;
  recipe.data = data_of(options);
  recipe.search.rate = 1e-3;
  recipe.search.weight_decay = 5e-4;
  recipe.search.schedule = "constant";
  const auto set = [&](run::Tensors& tensors, bool learned) {
    tensors.bits = learned ? options.policy : "fixed";
    tensors.start = 4;
    tensors.range = options.range;
    if (learned) tensors.average_bits = 4;
  };
  set(recipe.weight, options.quantize.starts_with("weights") || options.quantize == "all");
  set(recipe.activation, options.quantize == "all");
  return recipe;
}

/// Multiplications and additions of a forward pass over one sample.
double forward_flops(nn::Module& model, const Tensor& image) {
  Tape tape(Tape::Records::graph);
  model(Var(image));
  double products = 0;
  for (const auto& node : tape.nodes()) {
    if (node->op() != "conv2d" && node->op() != "linear") continue;
    const Tensor& weight = node->inputs()[1].value();
    const double a_number = static_cast<double>(weight.size() / weight.dim(0));
    products += static_cast<double>(node->output().value().size()) * a_number;
  }
  return 2 * products;
}

/// A batch of noise.
Tensor noise_of(const run::Recipe& recipe, Index batch) {
  const Tensor image = run::sample_image(recipe);
  std::vector<Index> dims(image.shape().dims().begin(), image.shape().dims().end());
  dims[0] = batch;
  Tensor images{Shape(dims)};
  fill_normal(images, Philox(0, Stream::synthetic));
  return images;
}

Index parameters_of(nn::Module& model) {
  Index numbers = 0;
  for (const auto& [name, parameter] : nn::parameters(model)) numbers += parameter->value().size();
  return numbers;
}

/// Seconds of one `body`, for the median of rounds of about 0.2 s.
struct Times {
  std::vector<double> sorted;
  int repeats;

  double median() const { return sorted[sorted.size() / 2]; }
};

template <class Body>
double seconds(const Body& body, int repeats) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / repeats;
}

template <class Body>
Times timed(const Body& body, int rounds) {
  constexpr double round_seconds = 0.2;
  constexpr int most = 500;
  seconds(body, 3);
  Times times{{}, std::clamp(static_cast<int>(round_seconds / seconds(body, 2)), 1, most)};
  for (int i = 0; i < rounds; ++i) times.sorted.push_back(seconds(body, times.repeats));
  std::sort(times.sorted.begin(), times.sorted.end());
  return times;
}

/// What both benchmarks say of `times`, each of which took `flops`.
Json summary(const BenchTrain& options, nn::Module& model, const Times& times, double flops) {
  return {{"model", options.model},
          {"batch", options.batch},
          {"threads", thread_count()},
          {"parameters", parameters_of(model)},
          {"ms", times.median() * 1e3},
          {"ms_min", times.sorted.front() * 1e3},
          {"samples_per_second", static_cast<double>(options.batch) / times.median()},
          {"gflops", flops / times.median() * 1e-9},
          {"peak_bytes", pool::peak_bytes()}};
}

class Trainer {
 public:
  explicit Trainer(const BenchTrain& options)
      : recipe_(recipe_of(options)), model_(run::make_model(recipe_)), labels_({options.batch}) {
    flops_ = 3 * forward_flops(*model_, run::sample_image(recipe_)) * options.batch;
    images_ = Var(noise_of(recipe_, options.batch));
    const auto classes = static_cast<Index>(data::info(recipe_.data).class_names.size());
    for (Index i = 0; i < options.batch; ++i) labels_[i] = static_cast<Real>(i % classes);
    if (options.quantize != "no") quantize(options);
    constexpr Index forever = 1 << 30;
    updates_.emplace(*model_, recipe_, recipe_.search, forever);
    if (options.quantize != "no") search_.emplace(*model_, recipe_);
  }

  void step() {
    constexpr double half_way = 0.5;  // the ramp of the budget is over, the tail has not begun
    const TrainingStep position({recipe_.seed, 0, static_cast<std::uint32_t>(done_)});
    if (search_) search_->before_step(half_way);
    {
      Tape tape;
      tape.backward(op::softmax_cross_entropy((*model_)(images_), labels_));
    }
    if (search_) search_->after_backward();
    updates_->step(done_++);
    if (search_) search_->step(half_way);
  }

  double flops() const { return flops_; }
  nn::Module& model() { return *model_; }

 private:
  void quantize(const BenchTrain& options) {
    quant::attach(*model_, run::sample_image(recipe_), run::quant_spec(recipe_));
    quant::set_mode(*model_, quant::Quantizer::Mode::observe);
    (*model_)(images_);
    quant::calibrated(*model_);
    if (options.quantize == "weights-alone") clear_activations();
  }

  void clear_activations() {
    for (const auto& [name, slot] : nn::slots(*model_)) {
      const auto* quantizer = dynamic_cast<quant::Quantizer*>(slot->get());
      if (quantizer && quantizer->info().role != quant::Role::weight) slot->clear();
    }
  }

  run::Recipe recipe_;
  std::unique_ptr<nn::Module> model_;
  Var images_;
  Tensor labels_;
  double flops_ = 0;
  Index done_ = 0;
  std::optional<run::Updates> updates_;
  std::optional<run::BitSearch> search_;
};

void add_profile(Json& result, Trainer& trainer, int steps) {
  Profile profile;
  const double total = seconds([&] { trainer.step(); }, steps);
  const double to_ms = 1e3 / steps;
  for (const auto& [op, line] : profile.lines())
    result["profile"][op] = {{"forward_ms", line.forward.seconds * to_ms},
                             {"backward_ms", line.backward.seconds * to_ms},
                             {"calls", line.forward.calls / steps}};
  result["rest_ms"] = total * 1e3 - profile.seconds() * to_ms;
}

}  // namespace

Json bench_train(const BenchTrain& options) {
  Trainer trainer(options);
  const Times times = timed([&] { trainer.step(); }, options.rounds);
  Json result = summary(options, trainer.model(), times, trainer.flops());
  result["quantize"] = options.quantize;
  if (options.quantize != "no" && options.quantize != "fixed") result["policy"] = options.policy;
  if (options.profile) add_profile(result, trainer, times.repeats);
  return result;
}

Json bench_eval(const BenchTrain& options) {
  const run::Recipe recipe = recipe_of(options);
  const auto model = run::make_model(recipe);
  const double flops = forward_flops(*model, run::sample_image(recipe)) * options.batch;
  const Var images(noise_of(recipe, options.batch));
  return summary(options, *model, timed([&] { (*model)(images); }, options.rounds), flops);
}

}  // namespace fraqat::tools
