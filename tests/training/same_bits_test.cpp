#include <doctest/doctest.h>

#include "core/file.hpp"
#include "data/loader.hpp"
#include "nn/state.hpp"
#include "optim/optimizer.hpp"
#include "tests/support/threads.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::same_bits_test {

// The same seed gives the same file, bit for bit, whatever the machine is doing.

namespace {

struct Setting {
  int threads = 1;
  bool prefetch = true;
  std::uint64_t seed = 1;
};

run::Recipe noisy_recipe(std::uint64_t seed) {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.seed = seed;
  recipe.weight.bits = "logits-gumbel";
  recipe.activation.bits = "stochastic";
  for (run::Tensors* side : {&recipe.weight, &recipe.activation}) {
    side->range = "learned";
    side->start = 5;
    side->average_bits = 3;
  }
  return recipe;
}

/// Every source of chance there is: shuffling, dropout, Gumbel noise and coins
/// of the widths; budgets on both sides; two optimizers; the loader's thread.
class NoisyTraining {
 public:
  NoisyTraining(const run::Session& session, const Setting& setting)
      : recipe_(noisy_recipe(setting.seed)),
        model_(test::small_net(setting.seed, true)),
        loader_(session.train(), {32, true, true, setting.seed, setting.prefetch}) {
    test::quantize(*model_, session, recipe_);
    search_ = std::make_unique<run::BitSearch>(*model_, recipe_);
    std::vector<Var> ranges;
    for (quant::Quantizer* q : quant::quantizers(*model_))
      for (const Var& range : q->range().parameters()) ranges.push_back(range);
    optim::ParameterGroup weights{{}, 1, 1e-4, "weights"};
    for (auto& [name, parameter] : nn::parameters(*model_))
      if (name.ends_with(".weight") || name.ends_with(".bias"))
        weights.parameters.push_back(*parameter);
    weights_ = std::make_unique<optim::Sgd>(std::vector{weights}, optim::SgdOptions{0.9, true});
    ranges_ = std::make_unique<optim::Adam>(std::vector{optim::ParameterGroup{ranges, 1, 0, "r"}});
  }

  void run(int steps) {
    int done = 0;
    for (std::uint32_t epoch = 0; done < steps; ++epoch) {
      loader_.start_epoch(epoch);
      while (const data::Batch* batch = loader_.next()) {
        if (done == steps) break;
        step(*batch, static_cast<double>(done) / steps, static_cast<double>(done + 1) / steps);
        ++done;
      }
    }
  }

  /// SHA-256 of the saved file.
  std::string hash() {
    const test::TemporaryDirectory folder;
    nn::save_state(*model_, folder / "state.safetensors");
    return sha256(read_file(folder / "state.safetensors", 1 << 24));
  }

 private:
  void step(const data::Batch& batch, double before, double after) {
    TrainingStep position({recipe_.seed, batch.epoch, static_cast<std::uint32_t>(batch.step)});
    search_->before_step(before);
    Tape tape;
    tape.backward(op::softmax_cross_entropy((*model_)(Var(batch.images)), batch.labels));
    weights_->step(0.02);
    weights_->clear_gradients();
    ranges_->step(1e-3);
    ranges_->clear_gradients();
    search_->step(after);
  }

  run::Recipe recipe_;
  std::unique_ptr<nn::Module> model_;
  data::Loader loader_;
  std::unique_ptr<run::BitSearch> search_;
  std::unique_ptr<optim::Optimizer> weights_, ranges_;
};

std::string hash_after(const run::Session& session, const Setting& setting, int steps = 200) {
  const test::Threads threads(setting.threads);
  NoisyTraining training(session, setting);
  training.run(steps);
  return training.hash();
}

}  // namespace

TEST_CASE("same bits: threads, prefetching and repetition change nothing in 200 noisy steps") {
  const test::TinySession session(noisy_recipe(1));
  const std::string once = hash_after(*session, {});
  CHECK(once == hash_after(*session, {}));
  CHECK(once == hash_after(*session, {1, false}));
  for (const int threads : {2, 3, 4, 7, 16}) CHECK(once == hash_after(*session, {threads}));
  CHECK(once == hash_after(*session, {2, false}));
  CHECK(once != hash_after(*session, {1, true, 2}));
  CHECK(once != hash_after(*session, {}, 199));
}

TEST_CASE("same bits: a whole run leaves the same hash on 1 and on 2 threads") {
  run::Recipe recipe = noisy_recipe(3);
  recipe.model = "lenet5-bn";
  recipe.train_limit = 160;
  const auto result = [&](int count, std::uint64_t seed) {
    const test::Threads threads(count);
    const test::TemporaryDirectory folder;
    recipe.seed = seed;
    run::Observer silent;
    return run::run(recipe, {folder.path(), {}, {}, {}}, silent);
  };
  const auto one = result(1, 3), two = result(2, 3), other = result(1, 4);
  CHECK(one["threads"] == 1);
  CHECK(two["threads"] == 2);
  CHECK(one["hash"] == two["hash"]);
  CHECK(one["arms"] == two["arms"]);
  CHECK(one["tensors"] == two["tensors"]);
  CHECK(one["hash"] != other["hash"]);
}

}  // namespace fraqat::same_bits_test
