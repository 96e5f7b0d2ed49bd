#include "models/run/recipe_keys.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>

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
  void search(Recipe& recipe);
  void curriculum(Descent& plan);

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
  words(
      section + ".schedule", t.schedule,
      {"constant", "step", "multi-step", "exponential", "cosine", "cosine-restarts", "one-cycle"});
  range(section + ".warmup", &t.warmup, 0, 1);
  below(section + ".label_smoothing", &t.label_smoothing, 1);
  add(section + ".clip", &t.clip);
  range(section + ".freeze_batch_norm", &t.freeze_batch_norm, 0, 1);
}

/// A stretch that has a float network to learn from, and codes to be drawn to.
void Table::quantized_training(const std::string& section, Training& t) {
  training(section, t);
  range(section + ".distillation", &t.distillation, 0, 1);
  above(section + ".distillation_temperature", &t.distillation_temperature, 0);
  add(section + ".damping", &t.damping);
}

void Table::tensors(const std::string& section, Tensors& t, bool weights) {
  words(section + ".bits", t.bits, quant::bit_policies());
  range(section + ".start", &t.start, quant::min_bits, quant::max_bits);
  add(section + ".random_start", &t.random_start);
  range(section + ".lowest", &t.lowest, quant::min_bits, quant::max_bits);
  range(section + ".highest", &t.highest, quant::min_bits, quant::max_bits);
  words(section + ".range", t.range, {"minmax", "mse", "learned"});
  if (weights) add(section + ".per_channel", &t.per_channel);
  if (!weights) add(section + ".affine", &t.affine);
  range(section + ".average_bits", &t.average_bits, 0, quant::max_bits);
  if (weights) add(section + ".bytes", &t.bytes);
  add(section + ".cap", &t.cap);
}

void Table::search(Recipe& r) {
  quantized_training("search", r.search);
  above("search.bit_rate", &r.bit_rate, 0);
  above("search.range_rate", &r.range_rate, 0);
  range("search.bit_warmup", &r.bit_warmup, 0, 1);
  words("search.bit_optimizer", r.bit_optimizer, {"sgd", "adam"});
  add("search.lambda", &r.lambda);
  words("search.cost", r.cost, {"linear", "quadratic"});
  above("search.temperature_start", &r.temperature_start, 0);
  above("search.temperature_end", &r.temperature_end, 0);
  words("search.temperature_schedule", r.temperature_schedule,
        {"exponential", "linear", "cosine", "constant"});
  add("search.entropy", &r.entropy);
}

void Table::curriculum(Descent& plan) {
  range("curriculum.widths", &plan.widths, quant::min_bits, quant::max_bits);
  words("curriculum.mode", plan.mode, {"shares", "plateau"});
  range("curriculum.shares", &plan.shares, 0, 1);
  range("curriculum.patience", &plan.patience, 0, 1);
  add("curriculum.tolerance", &plan.tolerance);
}

/// The first rule that the curriculum breaks.
Conflict conflict_in(const Descent& plan) {
  const std::vector<double>& widths = plan.widths;
  if (std::adjacent_find(widths.begin(), widths.end(), std::less_equal<>()) != widths.end())
    return {"curriculum.widths", "got one that does not fall; expected falling widths"};
  if (plan.mode == "plateau") {
    const auto drops = static_cast<double>(widths.size() - 1);
    if (plan.patience * drops < 1) return {};
    return {"curriculum.patience", "got " + to_text(plan.patience) + " for " + to_text(drops) +
                                       " descents, more than the whole search; expected a product "
                                       "below 1"};
  }
  const double sum = std::accumulate(plan.shares.begin(), plan.shares.end(), 0.0);
  if (plan.shares.size() == widths.size() && std::abs(sum - 1) < 1e-6) return {};
  return {"curriculum.shares",
          "got " + to_text(static_cast<double>(plan.shares.size())) + " shares of sum " +
              to_text(sum) + "; expected one for each of " +
              to_text(static_cast<double>(widths.size())) + " widths, in all 1"};
}

/// The first rule that one side breaks as a follower of the curriculum.
Conflict conflict_in(const std::string& section, const Tensors& t, const Descent& plan) {
  const bool schedule = t.bits == "schedule";
  if (t.cap && (t.bits == "fixed" || schedule))
    return {section + ".cap",
            "got true with bits = \"" + t.bits + "\"; expected false, or a policy that learns"};
  const double last = plan.widths.back();
  if ((schedule || t.cap) && last < t.lowest)
    return {"curriculum.widths", "got " + to_text(last) + " at the end with " + section +
                                     ".lowest = " + to_text(t.lowest) + "; expected at least that"};
  if (schedule && (last != std::floor(last) || last > t.highest))
    return {
        "curriculum.widths",
        "got " + to_text(last) + " at the end with " + section +
            ".bits = \"schedule\"; expected a whole width up to highest = " + to_text(t.highest)};
  return {};
}

/// The first rule that the tensors of one side break.
Conflict conflict_in(const std::string& section, const Tensors& t,
                     const std::vector<int>& allowed) {
  if (t.lowest > t.highest)
    return {section + ".lowest", "got " + to_text(t.lowest) + " with highest = " +
                                     to_text(t.highest) + "; expected lowest <= highest"};
  if (t.bits == "fixed" && t.start != std::floor(t.start))
    return {section + ".start",
            "got " + to_text(t.start) + " with bits = \"fixed\"; expected a whole width"};
  if (t.start < t.lowest || t.start > t.highest)
    return {section + ".start", "got " + to_text(t.start) + "; expected a width from lowest = " +
                                    to_text(t.lowest) + " to highest = " + to_text(t.highest)};
  if ((t.bits == "fixed" || t.bits == "schedule") && (t.average_bits > 0 || t.bytes > 0))
    return {section + (t.bytes > 0 ? ".bytes" : ".average_bits"),
            "got a budget with bits = \"" + t.bits + "\"; expected 0, or a policy that learns"};
  if (t.average_bits > 0 && (t.average_bits < t.lowest || t.average_bits > t.highest))
    return {section + ".average_bits",
            "got " + to_text(t.average_bits) +
                "; expected 0 (no budget) or a width from lowest = " + to_text(t.lowest) +
                " to highest = " + to_text(t.highest)};
  if (t.average_bits > 0 && t.bytes > 0)
    return {section + ".bytes", "got a budget of bytes beside average_bits = " +
                                    to_text(t.average_bits) + "; expected one of the two to be 0"};
  const auto usable = [&](int bits) { return bits >= t.lowest && bits <= t.highest; };
  if (t.bits != "fixed" && std::none_of(allowed.begin(), allowed.end(), usable))
    return {"round.allowed", "got no width from " + section + ".lowest = " + to_text(t.lowest) +
                                 " to highest = " + to_text(t.highest) + "; expected at least one"};
  return {};
}

Conflict conflict_in(const std::string& section, const Training& t) {
  if (t.nesterov && t.optimizer == "sgd" && t.momentum == 0)
    return {section + ".nesterov", "got true with momentum = 0; expected a momentum above 0"};
  return {};
}

/// What a recipe that stays float must not ask for.
Conflict conflict_with_float(const Recipe& r) {
  const auto refused = [](const std::string& key, const std::string& got) {
    return Conflict{key, "got " + got +
                             " with quant.enabled = false; expected none of it, or "
                             "quant.enabled = true"};
  };
  if (r.search.epochs > 0) return refused("search.epochs", to_text(r.search.epochs));
  if (r.finetune.epochs > 0) return refused("finetune.epochs", to_text(r.finetune.epochs));
  if (!r.uniform.empty()) return refused("baselines.uniform", "widths");
  if (!r.uniform_ends8.empty()) return refused("baselines.uniform_ends8", "widths");
  if (r.random > 0) return refused("baselines.random", to_text(r.random));
  if (r.float_longer) return refused("baselines.float_longer", "true");
  return {};
}

}  // namespace

std::string to_text(double value) {
  constexpr double surely_whole = 1e15;
  if (std::abs(value) < surely_whole && value == std::floor(value))
    return std::to_string(static_cast<Index>(value));
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
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
  if (std::holds_alternative<std::string*>(field))
    return words.empty() ? "a name of letters, digits, '.', '_' and '-'" : joined(words);
  if (std::holds_alternative<std::vector<double>*>(field))
    return "a list of numbers from " + to_text(least) + " to " + to_text(most);
  const std::string widths = "widths from " + to_text(least) + " to " + to_text(most);
  if (std::holds_alternative<WidthsByLayer*>(field)) return "a table, layer = width; " + widths;
  if (std::holds_alternative<std::vector<int>*>(field))
    return (rising ? "a rising list of one or more " : "a list of different ") + widths;
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
  t.tensors("quant.weight", r.weight, true);
  t.tensors("quant.activation", r.activation, false);
  t.range("quant.weight_bits", &r.weight_bits, quant::min_bits, quant::max_bits);
  t.search(r);
  t.curriculum(r.curriculum);
  t.words("round.mode", r.rounding, {"nearest", "ceil", "floor", "budget"});
  t.range("round.allowed", &r.allowed, quant::min_bits, quant::max_bits);
  t.keys.back().rising = true;
  t.quantized_training("finetune", r.finetune);
  t.range("finetune.reestimate_batches", &r.reestimate_batches, 0, most_batches);
  t.range("baselines.uniform", &r.uniform, quant::min_bits, quant::max_bits);
  t.range("baselines.uniform_ends8", &r.uniform_ends8, quant::min_bits, quant::max_bits);
  t.range("baselines.random", &r.random, 0, 100);
  t.add("baselines.float_longer", &r.float_longer);
  return std::move(t.keys);
}

Conflict conflict_in(const Recipe& r) {
  for (const Conflict& conflict :
       {conflict_in("float", r.float_training), conflict_in("search", r.search),
        conflict_in("finetune", r.finetune), conflict_in("quant.weight", r.weight, r.allowed),
        conflict_in("quant.activation", r.activation, r.allowed), conflict_in(r.curriculum),
        conflict_in("quant.weight", r.weight, r.curriculum),
        conflict_in("quant.activation", r.activation, r.curriculum)})
    if (!conflict.key.empty()) return conflict;
  if (!r.quantize)
    if (const Conflict conflict = conflict_with_float(r); !conflict.key.empty()) return conflict;
  if (r.temperature_end > r.temperature_start)
    return {"search.temperature_end",
            "got " + to_text(r.temperature_end) +
                "; expected at most temperature_start = " + to_text(r.temperature_start)};
  const bool weight_budget = r.weight.average_bits > 0 || r.weight.bytes > 0;
  if (r.lambda > 0 && weight_budget && r.activation.average_bits > 0)
    return {"search.lambda", "got " + to_text(r.lambda) +
                                 " beside budgets for weights and activations, which find "
                                 "the price of a bit themselves; expected 0, or a budget of 0"};
  return {};
}

}  // namespace fraqat::run
