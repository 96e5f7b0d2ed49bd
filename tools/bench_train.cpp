// fraqat-bench: the time of a training step, without data loading, as one line
// of JSON.  tools/compare-torch sets it beside PyTorch's.

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/parallel.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"
#include "optim/optimizer.hpp"
#include "tools/bench_conv.hpp"

using namespace fraqat;

namespace {

struct Network {
  nn::Sequential layers;
  Shape sample;
  double flops = 0;  // of a forward pass over one sample
};

void add_linear(Network& network, nn::Initializer& init, Index in, Index out) {
  network.layers.add(std::make_unique<nn::Linear>(in, out, init));
  network.flops += 2.0 * double(in * out);
}

void add_relu(Network& network) { network.layers.add(std::make_unique<nn::Relu>()); }

// Convolution to `size` x `size` pixels, ReLU and a pool to half of it.
void add_stage(Network& network, nn::Initializer& init, Index in, Index out, Index padding,
               Index size) {
  op::Conv2dOptions options;
  options.padding = padding;
  network.layers.add(std::make_unique<nn::Conv2d>(in, out, 5, init, options));
  add_relu(network);
  network.layers.add(std::make_unique<nn::MaxPool2d>());
  network.flops += 2.0 * double(size * size * out * 25 * in);
}

void build_lenet5(Network& network, nn::Initializer& init) {
  network.sample = {28, 28, 1};
  add_stage(network, init, 1, 6, 2, 28);
  add_stage(network, init, 6, 16, 0, 10);
  network.layers.add(std::make_unique<nn::Flatten>());
  add_linear(network, init, 400, 120);
  add_relu(network);
  add_linear(network, init, 120, 84);
  add_relu(network);
  add_linear(network, init, 84, 10);
}

void build_mlp(Network& network, nn::Initializer& init) {
  network.sample = {784};
  add_linear(network, init, 784, 256);
  add_relu(network);
  add_linear(network, init, 256, 128);
  add_relu(network);
  add_linear(network, init, 128, 10);
}

Shape batch_of(Index batch, const Shape& sample) {
  std::vector<Index> dims = {batch};
  dims.insert(dims.end(), sample.dims().begin(), sample.dims().end());
  return Shape(dims);
}

class Trainer {
 public:
  Trainer(const std::string& model, Index batch) : labels_({batch}), batch_(batch) {
    nn::Initializer init(0);
    (model == "mlp" ? build_mlp : build_lenet5)(network_, init);
    nn::name_modules(network_.layers);
    Tensor images(batch_of(batch, network_.sample));
    fill_normal(images, Philox(0, Stream::synthetic));
    images_ = Var(images);
    for (Index i = 0; i < batch; ++i) labels_[i] = Real(i % 10);
    optim::ParameterGroup group;
    for (const auto& parameter : nn::parameters(network_.layers))
      group.parameters.push_back(*parameter.item);
    group.weight_decay = 5e-4;
    optimizer_.emplace(std::vector{std::move(group)}, optim::SgdOptions{.momentum = 0.9});
  }

  void step() {
    TrainingStep position({0, 0, step_++});
    optimizer_->clear_gradients();
    Tape tape;
    tape.backward(op::softmax_cross_entropy(network_.layers(images_), labels_));
    optimizer_->step(1e-3);
  }

  /// Backward counted as twice the forward pass.
  double flops() const { return 3 * network_.flops * double(batch_); }

 private:
  Network network_;
  Var images_;
  Tensor labels_;
  Index batch_;
  std::uint32_t step_ = 0;
  std::optional<optim::Sgd> optimizer_;
};

double seconds(Trainer& trainer, int steps) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) trainer.step();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / steps;
}

nlohmann::ordered_json measure(const std::string& model, Index batch, int rounds) {
  Trainer trainer(model, batch);
  seconds(trainer, 10);
  const int steps = std::clamp(static_cast<int>(0.2 / seconds(trainer, 5)), 1, 500);
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) times.push_back(seconds(trainer, steps));
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  return {{"model", model},
          {"batch", batch},
          {"threads", thread_count()},
          {"ms", median * 1e3},
          {"ms_min", times.front() * 1e3},
          {"samples_per_second", double(batch) / median},
          {"gflops", trainer.flops() / median * 1e-9},
          {"peak_bytes", pool::peak_bytes()}};
}

int run(int argc, char** argv) {
  std::string model = "lenet5";
  Index batch = 128;
  int threads = thread_count(), rounds = 7;
  CLI::App app("Times training steps: forward, loss, backward, SGD with momentum 0.9.");
  app.add_option("--model", model, "lenet5 or mlp")->check(CLI::IsMember({"lenet5", "mlp"}));
  app.add_option("--batch", batch)->check(CLI::Range(1, 1 << 20));
  app.add_option("--threads", threads)->check(CLI::Range(1, 1024));
  app.add_option("--rounds", rounds, "of about 0.2 s; the median counts")
      ->check(CLI::Range(1, 1000));
  tools::BenchConv conv;
  CLI::App& layers = *app.add_subcommand("conv", "Times single convolutions instead.");
  layers.add_option("--network", conv.network, "lenet5, cnn-32-64 or resnet20; else all");
  layers.add_option("--batch", conv.batch)->check(CLI::Range(1, 1 << 20));
  layers.add_option("--threads", conv.threads)->check(CLI::Range(1, 1024));
  layers.add_option("--repeats", conv.repeats, "the least time counts")
      ->check(CLI::Range(1, 10000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) ? 2 : 0;
  }
  if (layers) {
    tools::run(conv);
    return 0;
  }
  set_thread_count(threads);
  std::cout << measure(model, batch, rounds) << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return error.exit_code();
  }
}
