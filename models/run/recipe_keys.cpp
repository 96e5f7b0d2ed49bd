#include "models/run/recipe_keys.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "data/registry.hpp"
#include "models/models.hpp"
#include "quant/bits_by_name.hpp"
#include "quant/grid.hpp"

namespace fraqat::run {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double most_batches = 1e9;

/// "a, b or c"
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

class Table {
 public:
  Key& add(std::string path, Field field) { return keys.emplace_back(Key{std::move(path), field}); }
  void words(std::string path, std::string& field, std::vector<std::string> allowed) {
    add(std::move(path), &field).words = std::move(allowed);
  }
  void range(std::string path, Field field, double least, double most) {
    Key& key = add(std::move(path), field);
    key.least = least;
    key.most = most;
  }
  void above(std::string path, Field field, double least) {
    Key& key = add(std::move(path), field);
    key.least = least;
    key.least_excluded = true;
  }
  void below(std::string path, Field field, double most) {
    Key& key = add(std::move(path), field);
    key.most = most;
    key.most_excluded = true;
  }
  void training(const std::string& section, Training& t);
  void quantized_training(const std::string& section, Training& t);
  void tensors(const std::string& section, Tensors& t, bool weights);
  void budgets(Budgets& budget);
  void search(Recipe& recipe);
  void curriculum(Descent& plan);
  void rounding(Recipe& recipe);

  std::vector<Key> keys;
};

void Table::training(const std::string& section, Training& t) {
  range(section + ".epochs", &t.epochs, 0, 100000);
  words(section + ".optimizer", t.optimizer,
        {"sgd", "adam", "adamw", "rmsprop", "adagrad", "lion"});
  above(section + ".rate", &t.rate, 0);
  below(section + ".momentum", &t.momentum, 1);
  add(section + ".nesterov", &t.nesterov);
  add(section + ".weight_decay", &t.weight_decay);
  words(section + ".schedule", t.schedule,
        {"constant", "step", "multi-step", "exponential", "cosine", "cosine-restarts", "one-cycle",
         "plateau"});
  range(section + ".warmup", &t.warmup, 0, 1);
  below(section + ".label_smoothing", &t.label_smoothing, 1);
  add(section + ".clip", &t.clip);
  add(section + ".clip_value", &t.clip_value);
  below(section + ".average", &t.average, 1);
  range(section + ".freeze_batch_norm", &t.freeze_batch_norm, 0, 1);
}

/// A stretch that has a float network to learn from, and codes to be drawn to.
void Table::quantized_training(const std::string& section, Training& t) {
  training(section, t);
  range(section + ".distillation", &t.distillation, 0, 1);
  range(section + ".distillation_temperature", &t.distillation_temperature, 0.1, 100);
  add(section + ".damping", &t.damping);
}

void Table::tensors(const std::string& section, Tensors& t, bool weights) {
  words(section + ".bits", t.bits, quant::bit_policies());
  const int least = weights ? quant::binary_bits : quant::min_bits;
  range(section + ".start", &t.start, least, quant::max_bits);
  add(section + ".random_start", &t.random_start);
  range(section + ".lowest", &t.lowest, least, quant::max_bits);
  range(section + ".highest", &t.highest, least, quant::max_bits);
  words(section + ".range", t.range, {"minmax", "percentile", "mse", "kl", "learned"});
  range(section + ".percentile", &t.percentile, 50, 100);
  if (!weights) range(section + ".momentum", &t.momentum, 0, 1);
  words(section + ".gradient_scale", t.gradient_scale, {"none", "lsq"});
  if (weights) add(section + ".per_channel", &t.per_channel);
  if (weights) add(section + ".bits_per_channel", &t.bits_per_channel);
  if (weights) add(section + ".narrow_range", &t.narrow_range);
  if (!weights) add(section + ".affine", &t.affine);
  range(section + ".average_bits", &t.average_bits, 0, quant::max_bits);
  if (weights) add(section + ".bytes", &t.bytes);
  add(section + ".cap", &t.cap);
}

void Table::budgets(Budgets& b) {
  range("quant.budget.weight_bits", &b.weight_bits, 0, quant::max_bits);
  range("quant.budget.activation_bits", &b.activation_bits, 0, quant::max_bits);
  add("quant.budget.bytes", &b.bytes);
  add("quant.budget.bops", &b.bops);
  add("quant.budget.activation_bytes", &b.activation_bytes);
}

void Table::rounding(Recipe& r) {
  words("round.mode", r.rounding, {"nearest", "ceil", "floor", "budget"});
  range("round.allowed", &r.allowed, quant::binary_bits, quant::max_bits);
  keys.back().rising = true;
  range("round.allowed_weight", &r.allowed_weight, quant::binary_bits, quant::max_bits);
  range("round.allowed_activation", &r.allowed_activation, quant::min_bits, quant::max_bits);
  for (const auto& [name, list] :
       {std::pair("round.allowed_levels", &r.allowed_levels),
        std::pair("round.allowed_levels_weight", &r.allowed_levels_weight),
        std::pair("round.allowed_levels_activation", &r.allowed_levels_activation)}) {
    range(name, list, 3, 255);
    keys.back().counted = "level counts";
  }
  add("round.couple_adds", &r.couple_adds);
  words("round.losses", r.losses, {"estimated", "measured"});
  range("round.swap", &r.swap, 0, 100000);
}

void Table::search(Recipe& r) {
  quantized_training("search", r.search);
  above("search.bit_rate", &r.bit_rate, 0);
  above("search.range_rate", &r.range_rate, 0);
  range("search.bit_warmup", &r.bit_warmup, 0, 1);
  words("search.bit_optimizer", r.bit_optimizer, {"sgd", "adam"});
  range("search.lambda", &r.lambda, 0, 1e6);
  words("search.cost", r.cost, {"linear", "quadratic", "power"});
  range("search.power", &r.power, 0.1, 16);
  words("search.priced", r.priced, {"bits", "average_bits", "bytes", "bops", "activation_bytes"});
  words("search.multiplier", r.multiplier, {"exact", "dual", "pid"});
  range("search.temperature_start", &r.temperature_start, 0.01, 100);
  range("search.temperature_end", &r.temperature_end, 0.01, 100);
  words("search.temperature_schedule", r.temperature_schedule,
        {"exponential", "linear", "cosine", "constant"});
  range("search.entropy", &r.entropy, 0, 1e3);
}

void Table::curriculum(Descent& plan) {
  range("curriculum.widths", &plan.widths, quant::min_bits, quant::max_bits);
  words("curriculum.mode", plan.mode, {"shares", "plateau"});
  range("curriculum.shares", &plan.shares, 0, 1);
  range("curriculum.patience", &plan.patience, 0, 1);
  add("curriculum.tolerance", &plan.tolerance);
}

}  // namespace

std::string to_text(double value) {
  constexpr double surely_whole = 1e15;
  if (std::abs(value) < surely_whole && value == std::floor(value))
    return std::to_string(static_cast<Index>(value));
  constexpr double readable = 1e-6;  // shortest alone would write 6e-04
  std::array<char, 32> digits;
  char *first = digits.data(), *last = first + digits.size();
  const bool written_out = std::abs(value) >= readable && std::abs(value) < surely_whole;
  const auto end = written_out ? std::to_chars(first, last, value, std::chars_format::fixed).ptr
                               : std::to_chars(first, last, value).ptr;
  return {first, end};
}

std::string Key::section() const {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string Key::name() const { return path.substr(path.rfind('.') + 1); }

bool Key::in_range(double value) const {
  return std::isfinite(value) && (least_excluded ? value > least : value >= least) &&
         (most_excluded ? value < most : value <= most);
}

std::string Key::expected() const {
  if (std::holds_alternative<bool*>(field)) return "true or false";
  if (std::holds_alternative<std::uint64_t*>(field)) return "a whole number from 0 to 2^63 - 1";
  if (std::holds_alternative<std::string*>(field))
    return words.empty() ? "a name of letters, digits, '.', '_' and '-'" : joined(words);
  if (std::holds_alternative<std::vector<double>*>(field))
    return "a list of numbers from " + to_text(least) + " to " + to_text(most);
  const std::string widths = counted + " from " + to_text(least) + " to " + to_text(most);
  if (std::holds_alternative<WidthsByLayer*>(field)) return "a table, layer = width; " + widths;
  if (std::holds_alternative<std::vector<int>*>(field))
    return (rising ? "a rising list of " : "a list of different ") + widths;
  std::string text = std::holds_alternative<double*>(field) ? "a number" : "a whole number";
  if (most == infinity)
    return text + (least_excluded ? " above " : " of at least ") + to_text(least);
  return text + " from " + to_text(least) + " to " + (most_excluded ? "below " : "") +
         to_text(most);
}

std::vector<Key> keys_of(Recipe& r) {
  Table t;
  t.add("name", &r.name);
  t.add("seed", &r.seed);
  t.words("model", r.model, models::names());
  t.words("data.name", r.data, data::names());
  t.range("data.batch", &r.batch, 1, 65536);
  t.words("data.augment", r.augment, {"none", "crop-flip"});
  t.range("data.train_limit", &r.train_limit, 0, most_batches);
  t.range("data.test_limit", &r.test_limit, 0, most_batches);
  t.training("float", r.float_training);
  t.add("quant.enabled", &r.quantize);
  t.range("quant.calibration_batches", &r.calibration_batches, 1, most_batches);
  t.range("quant.sum_bits", &r.sum_bits, 0, quant::max_bits);
  t.tensors("quant.weight", r.weight, true);
  t.tensors("quant.activation", r.activation, false);
  t.budgets(r.budget);
  t.range("quant.weight_bits", &r.weight_bits, quant::binary_bits, quant::max_bits);
  t.range("quant.activation_bits", &r.activation_bits, quant::min_bits, quant::max_bits);
  t.search(r);
  t.curriculum(r.curriculum);
  t.rounding(r);
  t.quantized_training("finetune", r.finetune);
  t.range("finetune.reestimate_batches", &r.reestimate_batches, 0, most_batches);
  t.range("baselines.uniform", &r.uniform, quant::min_bits, quant::max_bits);
  t.range("baselines.uniform_ends8", &r.uniform_ends8, quant::min_bits, quant::max_bits);
  t.range("baselines.random", &r.random, 0, 100);
  t.add("baselines.float_longer", &r.float_longer);
  return std::move(t.keys);
}

}  // namespace fraqat::run
