#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/real.hpp"

namespace fraqat::run {

using WidthsByLayer = std::vector<std::pair<std::string, int>>;

/// One stretch of training.
struct Training {
  int epochs = 0;
  std::string optimizer = "sgd";  // sgd | adam | adamw | rmsprop | adagrad | lion
  double rate = 0.05;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 1e-4;
  // constant | step | multi-step | exponential | cosine | cosine-restarts | one-cycle | plateau
  std::string schedule = "cosine";
  double warmup = 0;  // share of the steps
  double label_smoothing = 0;
  double clip = 0;        // largest gradient norm; 0: no clipping
  double clip_value = 0;  // largest number of a gradient; 0: no clipping
  double average = 0;     // decay of the moving average that becomes the network; 0: none

  double distillation = 0;              // share of the loss that is the float network's answer
  double distillation_temperature = 4;  // that softens it
  double damping = 0;                   // of weights towards their codes, at the end of the stretch
  double freeze_batch_norm = 0;         // share of the steps, the last ones

  bool operator==(const Training&) const = default;
};

/// How the quantizers of weights or of activations look.
struct Tensors {
  std::string bits = "stochastic";  // one of quant::bit_policies()
  double start = 3;                 // width (fixed), or where the search starts
  bool random_start = false;
  int lowest = 2, highest = 8;
  std::string range = "learned";  // minmax | percentile | mse | kl | learned
  double percentile = 99.99;      // of the numbers, inside the range of `percentile`
  double momentum = 0.1;  // of minmax: the moving average of activations in training; 0: none
  std::string gradient_scale = "none";  // of learned ranges: none | lsq
  bool per_channel = false;
  bool bits_per_channel = false;  // a bit-width, too, for each output channel
  bool narrow_range = true;       // of weights: as many codes below 0 as above
  bool affine = false;
  double average_bits = 0;  // budget: average width; 0: none
  double bytes = 0;         // budget (weights): data bytes of the packed model; 0: none
  bool cap = false;         // learned widths stay below those of the curriculum

  bool operator==(const Tensors&) const = default;
};

/// The curriculum: widths that fall over the search, for the policy `schedule` and as a
/// cap of others.
struct Descent {
  std::vector<double> widths = {8, 7, 6, 5.5, 5, 4.75, 4.5, 4.25, 4};
  std::string mode = "shares";  // shares | plateau
  // Of the search, one for each width.
  std::vector<double> shares = {0.04, 0.04, 0.04, 0.04, 0.04, 0.08, 0.08, 0.08, 0.56};
  double patience = 0.06;   // plateau: the longest share of the search at a width
  double tolerance = 0.02;  // plateau: the loss has recovered if so little above the last

  bool operator==(const Descent&) const = default;
};

/// The widest that tensors of a side may be once their widths are whole.
inline double widest(const Tensors& side, const Descent& plan) {
  return side.cap ? std::min<double>(side.highest, plan.widths.back()) : side.highest;
}

/// What a network may cost in all; 0: no such budget.
struct Budgets {
  double weight_bits = 0, activation_bits = 0;  // average widths
  double bytes = 0;                             // data bytes of the packed model
  double bops = 0;                              // bit operations for one sample
  double activation_bytes = 0;                  // the most bytes of activations alive at once

  bool operator==(const Budgets&) const = default;
};

/// A reproducible experiment, complete: what the file does not say has these
/// defaults, and a run writes all of it out again.  The TOML keys stand behind
/// each field; a section's keys are its struct's field names.
struct Recipe {
  std::string name;        // name
  std::uint64_t seed = 1;  // seed

  std::string model = "lenet5-bn";        // model
  std::string data = "fashion-mnist";     // data.name
  int batch = 128;                        // data.batch
  std::string augment = "none";           // data.augment: none | crop-flip
  Index train_limit = 0, test_limit = 0;  // data.train_limit, data.test_limit; 0: all

  Training float_training;                     // [float]
  bool quantize = true;                        // quant.enabled; false: float is all
  Tensors weight, activation;                  // [quant.weight], [quant.activation]
  Budgets budget;                              // [quant.budget]
  WidthsByLayer weight_bits, activation_bits;  // [quant.weight_bits], [quant.activation_bits]
  int sum_bits = 0;                            // quant.sum_bits; 0: as other activations
  int calibration_batches = 16;                // quant.calibration_batches

  Training search;                            // [search]
  double bit_rate = 0.02, range_rate = 1e-3;  // search.bit_rate, search.range_rate
  double bit_warmup = 0.08;                   // search.bit_warmup: share of steps with fixed bits
  std::string bit_optimizer = "adam";         // search.bit_optimizer: sgd | adam (without a budget)
  double lambda = 0;                          // search.lambda: price of a bit (without a budget)
  std::string cost = "linear";                // search.cost: linear | quadratic | power
  double power = 3;                           // search.power: of cost = "power"
  std::string priced = "bits";                // search.priced: bits | average_bits | bytes | ...
  std::string multiplier = "exact";           // search.multiplier: exact | dual | pid
  double temperature_start = 1, temperature_end = 0.1;  // search.temperature_start, ..._end
  // search.temperature_schedule: exponential | linear | cosine | constant
  std::string temperature_schedule = "exponential";
  Descent curriculum;  // [curriculum]
  double entropy = 0;  // search.entropy: of the widths' distributions, its price at the end

  std::string rounding = "budget";                   // round.mode: nearest | ceil | floor | budget
  std::vector<int> allowed = {2, 3, 4, 5, 6, 7, 8};  // round.allowed
  std::vector<int> allowed_weight, allowed_activation;  // round.allowed_weight, ..._activation
  // round.allowed_levels, ..._weight, ..._activation: level counts that are no power of two
  std::vector<int> allowed_levels, allowed_levels_weight, allowed_levels_activation;
  bool couple_adds = false;          // round.couple_adds: both inputs of an add at one width
  std::string losses = "estimated";  // round.losses: estimated | measured
  int swap = 0;                      // round.swap: exchanges of widths to try on the true loss

  Training finetune;             // [finetune]
  int reestimate_batches = 100;  // finetune.reestimate_batches

  std::vector<int> uniform;        // baselines.uniform: widths trained alike for the table
  std::vector<int> uniform_ends8;  // baselines.uniform_ends8: the same, first and last weight at 8
  int random = 0;                  // baselines.random: arms of random widths, as dear as learned
  bool float_longer = false;       // baselines.float_longer: float, trained as long as the others

  bool operator==(const Recipe&) const = default;
};

/// The whole widths that the hardware has for tensors of a side, and the level counts.
inline const std::vector<int>& allowed_bits(const Recipe& r, bool weight) {
  const std::vector<int>& own = weight ? r.allowed_weight : r.allowed_activation;
  return own.empty() ? r.allowed : own;
}
inline const std::vector<int>& allowed_levels(const Recipe& r, bool weight) {
  const std::vector<int>& own = weight ? r.allowed_levels_weight : r.allowed_levels_activation;
  return own.empty() ? r.allowed_levels : own;
}

/// Reads `name_or_file` (a name is looked up among the recipes that come with
/// fraqat), then applies `overrides` ("quant.weight.start=5").  Errors name the
/// file, line and key; unknown keys, wrong types and values out of range are
/// errors of kind input, those of an override of kind usage.
Recipe load_recipe(const std::string& name_or_file, const std::vector<std::string>& overrides);

/// The recipe written in `text`; `origin` is its name in errors.
Recipe parse_recipe(const std::string& text, const std::string& origin);

/// The complete recipe as TOML, every default written out; load_recipe reads it back.
std::string to_toml(const Recipe& recipe);

}  // namespace fraqat::run
