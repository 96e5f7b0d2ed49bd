#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "models/run/recipe_keys.hpp"
#include "quant/bits.hpp"

namespace fraqat::run {
namespace {

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
Conflict conflict_in(const std::string& section, const Tensors& t) {
  if (t.lowest > t.highest)
    return {section + ".lowest", "got " + to_text(t.lowest) + " with highest = " +
                                     to_text(t.highest) + "; expected lowest <= highest"};
  const bool levels = t.bits == "level" || t.bits == "level-step" || t.bits == "schedule";
  if (levels && t.lowest < quant::min_bits)
    return {section + ".lowest", "got " + to_text(t.lowest) + " with bits = \"" + t.bits +
                                     "\", which has no level between one bit and two; expected " +
                                     to_text(quant::min_bits) + " or more"};
  if (!t.narrow_range && (t.bits == "fixed" ? t.start : t.lowest) < quant::min_bits)
    return {section + ".narrow_range",
            "got false with a width of 1 bit, which has no code to spare; expected true, or widths "
            "of " +
                to_text(quant::min_bits) + " or more"};
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
  return {};
}

/// A range and a step, of which the width follows, are no average of each other.
Conflict conflict_in_average(const Recipe& r) {
  if (r.search.average == 0 || (r.weight.bits != "level-step" && r.activation.bits != "level-step"))
    return {};
  return {"search.average", "got " + to_text(r.search.average) +
                                " with bits = \"level-step\"; expected 0, or another policy"};
}

/// The first rule that a bit-width for each channel breaks.
Conflict conflict_in_channels(const Recipe& r) {
  const Tensors& t = r.weight;
  if (!t.bits_per_channel) return {};
  const std::string key = "quant.weight.bits_per_channel";
  if (!t.per_channel)
    return {key,
            "got true with per_channel = false; expected a range for each channel as well, "
            "per_channel = true"};
  if (t.bits == "level-step" || t.bits == "schedule")
    return {key, "got true with bits = \"" + t.bits +
                     "\", which has one width for all channels; "
                     "expected false, or another policy"};
  if (!t.narrow_range)
    return {key, "got true with narrow_range = false; expected false, or narrow_range = true"};
  if (t.bits != "fixed" && r.losses == "measured")
    return {"round.losses", "got \"measured\" with " + key +
                                " = true, which has too many widths "
                                "to try each; expected \"estimated\""};
  return {};
}

bool learns(const Tensors& t) { return t.bits != "fixed" && t.bits != "schedule"; }

/// What one side may be rounded to, and the keys that say so.
struct Allowed {
  const std::vector<int>&bits, &levels;
  std::string bits_key, levels_key;
};

Allowed allowed_of(const Recipe& r, bool weights) {
  const std::vector<int>&bits = allowed_bits(r, weights), &levels = allowed_levels(r, weights);
  const std::string side = weights ? "_weight" : "_activation";
  return {bits, levels, "round.allowed" + (&bits == &r.allowed ? "" : side),
          "round.allowed_levels" + (&levels == &r.allowed_levels ? "" : side)};
}

quant::Coding coding_of(const Tensors& t, bool weights) {
  if (!weights) return quant::Coding::natural;
  return t.narrow_range ? quant::Coding::symmetric : quant::Coding::twos;
}

/// Most bits that a code of a side takes where it may be rounded: to whole bits, to level
/// counts; 0: it has none of them.
struct Finest {
  double whole = 0, counted = 0;
};

Finest finest_of(const Recipe& r, bool weights, double most) {
  const Tensors& t = weights ? r.weight : r.activation;
  Finest finest;
  for (const int bits : allowed_bits(r, weights))
    if (bits >= t.lowest && bits <= most) finest.whole = std::max<double>(finest.whole, bits);
  const quant::Coding coding = coding_of(t, weights);
  const auto widths = quant::Widths::range(t.lowest, t.highest);
  for (const int levels : allowed_levels(r, weights)) {
    const auto width = quant::Width::of_levels(levels);
    if (quant::has_levels(widths, coding, width) && width.level_bits(coding) <= most)
      finest.counted = std::max(finest.counted, width.bits());
  }
  return finest;
}

/// The first rule broken by what a side that learns has of the widths that are allowed.
Conflict conflict_in_reach(const Recipe& r, bool weights) {
  const Tensors& t = weights ? r.weight : r.activation;
  const std::string side = weights ? "weight" : "activation", section = "quant." + side;
  const Allowed allowed = allowed_of(r, weights);
  const double most = widest(t, r.curriculum);
  if (most < t.lowest) return {};  // a curriculum that caps it ends too low, and is blamed for it
  const Finest finest = finest_of(r, weights, most);
  const std::string bounds = section + ".lowest = " + to_text(t.lowest) + " to " +
                             (most < t.highest ? "its cap = " : "highest = ") + to_text(most);
  const bool own_levels = !allowed.levels.empty() && &allowed.levels != &r.allowed_levels;
  if (own_levels && finest.counted == 0)
    return {allowed.levels_key, "got no count that these tensors can have; expected one from " +
                                    bounds + (weights ? t.narrow_range ? ", odd" : ", even" : "")};
  if (finest.whole == 0 && finest.counted == 0)
    return {allowed.bits_key, "got no width from " + bounds + "; expected at least one"};
  const double reached = std::max(finest.whole, finest.counted);
  for (const auto& [key, average] :
       {std::pair(section + ".average_bits", t.average_bits),
        std::pair("quant.budget." + side + "_bits",
                  weights ? r.budget.weight_bits : r.budget.activation_bits)})
    if (average > reached)
      return {key, "got " + to_text(average) + ", more than any allowed width from " + bounds +
                       "; expected at most " + to_text(reached) + "; try another " +
                       allowed.bits_key};
  return {};
}

/// The first rule that the widths which one side may be rounded to break.
Conflict conflict_in_allowed(const Recipe& r, bool weights) {
  const Tensors& t = weights ? r.weight : r.activation;
  const Allowed allowed = allowed_of(r, weights);
  for (const int levels : allowed.levels)
    if (quant::Width::of_levels(levels).whole())
      return {allowed.levels_key, "got " + to_text(levels) +
                                      ", a power of two, which whole bits are for; expected "
                                      "other counts; try " +
                                      allowed.bits_key};
  if (t.bits == "fixed") return {};
  if (weights && t.bits_per_channel && !allowed.levels.empty())
    return {allowed.levels_key,
            "got some with quant.weight.bits_per_channel = true, whose channels are stored in "
            "whole bits; expected none for weights; try round.allowed_levels_activation"};
  if (!learns(t)) return {};
  const bool binary = std::count(allowed.bits.begin(), allowed.bits.end(), quant::binary_bits) > 0;
  if (t.lowest == quant::binary_bits && allowed.levels.empty() && !binary)
    return {"quant.weight.lowest", "got 1, a width that " + allowed.bits_key +
                                       " does not have; expected 2 or more, or a 1 there"};
  return conflict_in_reach(r, weights);
}

/// The same for one side with the widths that it may be rounded to.
Conflict conflict_in(const Recipe& r, bool weights) {
  const Conflict conflict =
      conflict_in(weights ? "quant.weight" : "quant.activation", weights ? r.weight : r.activation);
  return conflict.key.empty() ? conflict_in_allowed(r, weights) : conflict;
}

/// Budgets of the whole network.
Conflict conflict_in_budgets(const Recipe& r) {
  const auto side = [](const std::string& name, double bits, const Tensors& t) -> Conflict {
    if (bits == 0) return {};
    const std::string key = "quant.budget." + name;
    if (!learns(t))
      return {key,
              "got a budget for widths that are not learned; expected 0, or a policy that learns"};
    if (bits < t.lowest || bits > t.highest)
      return {key, "got " + to_text(bits) + "; expected 0 (no budget) or a width from lowest = " +
                       to_text(t.lowest) + " to highest = " + to_text(t.highest)};
    return {};
  };
  const Budgets& b = r.budget;
  for (const Conflict& conflict : {side("weight_bits", b.weight_bits, r.weight),
                                   side("activation_bits", b.activation_bits, r.activation)})
    if (!conflict.key.empty()) return conflict;
  const auto nobody = [](const std::string& name, const std::string& what) {
    return Conflict{"quant.budget." + name,
                    "got a budget where the widths of " + what +
                        " are not learned; expected 0, or a policy that learns"};
  };
  if (b.bytes > 0 && !learns(r.weight)) return nobody("bytes", "weights");
  if (b.activation_bytes > 0 && !learns(r.activation))
    return nobody("activation_bytes", "activations");
  if (b.bops > 0 && !learns(r.weight) && !learns(r.activation))
    return nobody("bops", "weights and activations");
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

Conflict conflict_in(const Recipe& r) {
  for (const Conflict& conflict :
       {conflict_in("float", r.float_training), conflict_in("search", r.search),
        conflict_in("finetune", r.finetune), conflict_in(r, true), conflict_in(r, false),
        conflict_in_channels(r), conflict_in_average(r), conflict_in_budgets(r),
        conflict_in(r.curriculum), conflict_in("quant.weight", r.weight, r.curriculum),
        conflict_in("quant.activation", r.activation, r.curriculum)})
    if (!conflict.key.empty()) return conflict;
  if (!r.quantize)
    if (const Conflict conflict = conflict_with_float(r); !conflict.key.empty()) return conflict;
  if (r.temperature_schedule != "constant" && r.temperature_end > r.temperature_start)
    return {"search.temperature_end",
            "got " + to_text(r.temperature_end) +
                "; expected at most temperature_start = " + to_text(r.temperature_start)};
  if (r.sum_bits > 0 && r.sum_bits < quant::min_bits)
    return {"quant.sum_bits", "got " + to_text(r.sum_bits) + "; expected 0 (as activations) or " +
                                  to_text(quant::min_bits) + " to " + to_text(quant::max_bits)};
  const Budgets& b = r.budget;
  const bool weights = r.weight.average_bits > 0 || r.weight.bytes > 0 || b.weight_bits > 0 ||
                       b.bytes > 0 || b.bops > 0;
  const bool activations = r.activation.average_bits > 0 || b.activation_bits > 0 ||
                           b.activation_bytes > 0 || b.bops > 0;
  if (r.lambda > 0 && weights && activations)
    return {"search.lambda", "got " + to_text(r.lambda) +
                                 " beside budgets for weights and activations, which find "
                                 "the price of a bit themselves; expected 0, or a budget of 0"};
  return {};
}

}  // namespace fraqat::run
