#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/real.hpp"

namespace fraqat::tools {

struct BenchTrain {
  std::string model = "lenet5";
  std::string data;                   // whose images it sees; empty: those it is made for
  std::string quantize = "no";        // no | fixed | weights | weights-alone | all
  std::string policy = "stochastic";  // of the widths that are learned
  std::string range = "learned";
  int batch = 128;
  int rounds = 7;
  bool profile = false;
};

/// Times whole training steps on one batch of noise: forward, loss, backward, all
/// optimizers; no loading.  `quantize` is what learns: nothing, nothing but at 4
/// bits, the widths of weights (with activations at 4 bits, or, alone, in float), those of
/// weights and activations; by `policy`.
///
/// Returns {"model", "batch", "threads", "quantize", "parameters", "ms", "ms_min",
/// "samples_per_second", "gflops", "peak_bytes"}; ms is the median of the rounds, of
/// about 0.2 s each; gflops counts products and convolutions, backward as twice the
/// forward pass.  With `profile` also "profile": {op: {"forward_ms", "backward_ms",
/// "calls"}} and "rest_ms" of one step.
nlohmann::ordered_json bench_train(const BenchTrain& options);

/// Times forward passes over one batch of noise as evaluation does them: batch norm
/// with running statistics, no tape.  Of the options model, data, batch and rounds
/// count; the result has the keys of bench_train() but "quantize", gflops counts the
/// forward pass.
nlohmann::ordered_json bench_eval(const BenchTrain& options);

struct BenchConv {
  std::string network;  // all if empty
  int batch = 128;
  int repeats = 20;  // the median counts
};

/// Times the convolutions of known networks, pass by pass, by every way there is
/// to compute them.  Returns an array of {"network", "C", "O", "window", ...}.
nlohmann::ordered_json bench_conv(const BenchConv& options);

}  // namespace fraqat::tools
