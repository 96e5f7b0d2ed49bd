#include "tools/bench.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/convolution.hpp"
#include "core/random.hpp"

namespace fraqat::tools {
namespace {

struct Layer {
  const char* network;
  Index C, O, window, size, stride, padding;

  Convolution with_batch(Index N) const {
    const Index P = (size + 2 * padding - window) / stride + 1;
    return {{N, size, size, C, O, window, window, P, P, stride, padding, padding, 1, 1}};
  }
};

constexpr Layer layers[] = {
    {"lenet5", 1, 6, 5, 28, 1, 2},     {"lenet5", 6, 16, 5, 14, 1, 0},
    {"cnn-32-64", 1, 32, 3, 28, 1, 1}, {"cnn-32-64", 32, 64, 3, 14, 1, 1},
    {"resnet20", 3, 16, 3, 32, 1, 1},  {"resnet20", 16, 16, 3, 32, 1, 1},
    {"resnet20", 16, 32, 3, 32, 2, 1}, {"resnet20", 16, 32, 1, 32, 2, 0},
    {"resnet20", 32, 32, 3, 16, 1, 1}, {"resnet20", 32, 64, 3, 16, 2, 1},
    {"resnet20", 32, 64, 1, 16, 2, 0}, {"resnet20", 64, 64, 3, 8, 1, 1},
};

using Suits = bool (*)(const Convolution&);

struct Way {
  const char* name;
  Suits suits[3];  // forward, backward to the data, backward to the weights
  decltype(&im2col::forward) forward;
  decltype(&im2col::backward_data) backward_data;
  decltype(&im2col::backward_weights) backward_weights;
};

bool always(const Convolution&) { return true; }

constexpr Way ways[] = {
    {"conv2d",
     {always, always, always},
     convolution::forward,
     convolution::backward_data,
     convolution::backward_weights},  // what the op takes: one of those below
    {"im2col",
     {always, always, always},
     im2col::forward,
     im2col::backward_data,
     im2col::backward_weights},
    {"lanes",
     {lanes::suits_forward, lanes::suits_backward_data, lanes::suits_backward_weights},
     lanes::forward,
     lanes::backward_data,
     lanes::backward_weights},
    {"direct",
     {direct::suits_forward, direct::suits_backward_data, direct::suits_backward_weights},
     direct::forward,
     direct::backward_data,
     direct::backward_weights},
};

struct Numbers {
  explicit Numbers(const Convolution& c)
      : x({c.N, c.H, c.W, c.C}),
        y({c.N, c.P, c.Q, c.O}),
        weight({c.O, c.R, c.S, c.C}),
        bias({c.O}),
        dx(x.shape()),
        dweight(weight.shape()),
        dbias({c.O}) {
    std::uint64_t seed = 0;
    for (Tensor* t : {&x, &y, &weight, &bias}) fill_normal(*t, Philox(seed++, Stream::synthetic));
  }

  Tensor x, y, weight, bias, dx, dweight, dbias;
};

void run(const Way& way, int pass, const Convolution& c, Numbers& n) {
  if (pass == 0) way.forward(c, n.x.data(), n.weight.data(), n.bias.data(), n.y.data());
  if (pass == 1) way.backward_data(c, n.y.data(), n.weight.data(), n.dx.data());
  if (pass == 2) way.backward_weights(c, n.x.data(), n.y.data(), n.dweight.data(), n.dbias.data());
}

// The median time of `repeats`, in seconds, after one that does not count.
double median(const Way& way, int pass, const Convolution& c, Numbers& n, int repeats) {
  run(way, pass, c, n);
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run(way, pass, c, n);
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  const auto middle = times.begin() + repeats / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

void measure(const Layer& layer, const BenchConv& options, nlohmann::ordered_json& lines) {
  static constexpr const char* passes[] = {"forward", "backward_data", "backward_weights"};
  const Convolution c = layer.with_batch(options.batch);
  const double flops = 2.0 * double(c.N * c.P * c.Q * c.weights());
  Numbers numbers(c);
  for (int pass = 0; pass < 3; ++pass)
    for (const Way& way : ways) {
      if (!way.suits[pass](c)) continue;
      const double time = median(way, pass, c, numbers, options.repeats);
      lines.push_back({{"network", layer.network},
                       {"C", c.C},
                       {"O", c.O},
                       {"window", c.R},
                       {"size", c.H},
                       {"stride", c.stride},
                       {"pass", passes[pass]},
                       {"way", way.name},
                       {"ms", time * 1e3},
                       {"gflops", flops / time * 1e-9}});
    }
}

}  // namespace

nlohmann::ordered_json bench_conv(const BenchConv& options) {
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  for (const Layer& layer : layers)
    if (options.network.empty() || options.network == layer.network) measure(layer, options, lines);
  check_usage(!lines.empty(), "[bench] no layers of that network: got ", options.network,
              "; expected lenet5, cnn-32-64 or resnet20");
  return lines;
}

}  // namespace fraqat::tools
