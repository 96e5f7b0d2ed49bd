#include "models/run/arms.hpp"

#include <algorithm>

#include "models/run/batch_norm.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/float_start.hpp"
#include "models/run/training.hpp"
#include "models/run/widths.hpp"
#include "quant/assignment.hpp"

namespace fraqat::run {
namespace {

using nlohmann::ordered_json;
using quant::Quantizer;
using quant::Role;

std::vector<Quantizer*> of_role(nn::Module& model, Role role) {
  std::vector<Quantizer*> some;
  for (Quantizer* q : quant::quantizers(model))
    if (q->info().role == role) some.push_back(q);
  return some;
}

Index float_bytes(nn::Module& model) {
  Index bytes = 0;
  for (auto& [name, parameter] : nn::parameters(model)) bytes += 4 * parameter->value().size();
  for (auto& [name, buffer] : nn::buffers(model)) bytes += 4 * buffer->size();
  return bytes;
}

ordered_json float_arm(const std::string& name, nn::Module& model, const Score& score) {
  return {{"name", name},
          {"accuracy", score.accuracy},
          {"loss", score.loss},
          {"bytes", float_bytes(model)},
          {"avg_weight_bits", 32.0},
          {"avg_activation_bits", 32.0}};
}

ordered_json quantized_arm(const std::string& name, nn::Module& model, const Score& score) {
  const std::vector<Quantizer*> all = quant::quantizers(model);
  return {{"name", name},
          {"accuracy", score.accuracy},
          {"loss", score.loss},
          {"bytes", packed_bytes(model)},
          {"avg_weight_bits", quant::average_bits(all, Role::weight, true)},
          {"avg_activation_bits", quant::average_bits(all, Role::activation, true)}};
}

std::string layer_of(const std::string& slot) {
  const std::size_t dot = slot.rfind('.');
  return dot == std::string::npos ? std::string() : slot.substr(0, dot);
}

/// An arm that an earlier part of a resumed run has finished, if it has.
bool take_finished(const Session& session, const std::string& name, ordered_json& arms) {
  const ordered_json& done = session.journal().notes["arms"];
  if (!done.contains(name)) return false;
  const ordered_json& arm = done[name];
  check_input(arm.value("name", "") == name && arm.at("accuracy").is_number(), "[resume] ",
              session.file(journal_name).string(), ": bad arm ", name);
  arms.push_back(arm);
  return true;
}

/// With the hash of what its `checkpoint` holds.
void finish(const Session& session, ordered_json arm, const std::string& checkpoint,
            ordered_json& arms) {
  arm["hash"] = result_hash(session.checkpoint(checkpoint));
  session.journal().notes["arms"][arm["name"].get<std::string>()] = arm;
  arms.push_back(std::move(arm));
}

/// Both stretches of training with the widths that `model` has, if any, frozen
/// after the first as those of the learned network are; returns the score.
Score train_fixed(const Session& session, nn::Module& model, const Recipe& recipe,
                  const std::string& name) {
  const int first = recipe.float_training.epochs, second = first + recipe.search.epochs;
  if (recipe.search.epochs > 0) train(session, model, recipe, recipe.search, {name, first});
  for (Quantizer* q : quant::quantizers(model)) q->freeze(quant::hard_widths({q}));
  if (recipe.finetune.epochs > 0)
    train(session, model, recipe, recipe.finetune, {name, second, recipe.search.epochs});
  settle_batch_norm(session, model, recipe);
  save_checkpoint(session.checkpoint(name), model, recipe, name);
  return evaluate(model, recipe, session.test());
}

/// Layers with weights, in order.
std::vector<std::string> weight_layers(nn::Module& model) {
  std::vector<std::string> layers;
  for (auto& [path, slot] : nn::slots(model))
    if (path.ends_with("weight_q")) layers.push_back(layer_of(path));
  return layers;
}

/// What may be drawn for a side, at the cost of the widths it has in `learned`.
std::vector<quant::Width> draw_widths(nn::Module& model, nn::Module& learned, Role role,
                                      const Recipe& recipe, const Philox& random) {
  const std::vector<quant::Site> these = quant::sites_of(of_role(model, role)),
                                 those = quant::sites_of(of_role(learned, role));
  std::vector<quant::RoundingItem> items;
  Index cost = 0;
  for (std::size_t k = 0; k < these.size(); ++k) {
    const Quantizer& q = *these[k].quantizer;
    const quant::Width bits = those[k].quantizer->hard_width(those[k].row);
    quant::RoundingItem item{these[k].name(), 0, these[k].elements, 1, {}};
    item.coding = q.info().coding;
    item.allowed = q.bits().parameter() ? allowed_widths(recipe, q) : std::vector{bits};
    cost += quant::bits_of(item.elements, bits);
    items.push_back(std::move(item));
  }
  return quant::random_assignment(items, cost, random);
}

}  // namespace

Index packed_bytes(nn::Module& model) {
  quant::Workload workload;
  workload.quantizers = quant::quantizers(model);
  return quant::model_bytes(workload).sums[0].count(quant::hard_widths(workload.quantizers));
}

std::unique_ptr<nn::Module> float_model(const Session& session, ordered_json& arms) {
  const Recipe& recipe = session.recipe();
  const std::filesystem::path path = session.checkpoint("float");
  if (take_finished(session, "float", arms)) return load_checkpoint(path).model;
  std::unique_ptr<nn::Module> model = make_model(recipe);
  Score score;
  const std::filesystem::path from = session.from();
  if (from.empty()) {
    score = train(session, *model, recipe, recipe.float_training, {"float"});
  } else {
    model = read_float_model(recipe, from);
    score = evaluate(*model, recipe, session.test());
  }
  save_checkpoint(path, *model, recipe, "float");
  finish(session, float_arm("float", *model, score), "float", arms);
  return model;
}

void longer_float_arm(const Session& session, const nn::NamedTensors& start, ordered_json& arms) {
  const std::string name = "float-longer";
  if (take_finished(session, name, arms)) return;
  const std::unique_ptr<nn::Module> model = make_model(session.recipe());
  nn::apply_state(*model, start, "the float network");
  const Score score = train_fixed(session, *model, session.recipe(), name);
  finish(session, float_arm(name, *model, score), name, arms);
}

void uniform_arm(const Session& session, const nn::NamedTensors& start, int bits, bool ends8,
                 ordered_json& arms) {
  const std::string name = "uniform-" + std::to_string(bits) + (ends8 ? "-ends8" : "");
  if (take_finished(session, name, arms)) return;
  Recipe recipe = session.recipe();
  recipe.weight.bits = recipe.activation.bits = "fixed";
  for (Tensors* tensors : {&recipe.weight, &recipe.activation}) {
    tensors->start = tensors->lowest = tensors->highest = bits;
    tensors->average_bits = tensors->bytes = 0;
    tensors->cap = false;
  }
  recipe.budget = {};
  const std::unique_ptr<nn::Module> model = make_model(recipe);
  nn::apply_state(*model, start, "the float network");
  recipe.weight_bits.clear();
  recipe.activation_bits.clear();
  if (ends8) {
    const std::vector<std::string> layers = weight_layers(*model);
    recipe.weight_bits = {{layers.front(), 8}, {layers.back(), 8}};
  }
  quant::attach(*model, sample_image(recipe), quant_spec(recipe));
  calibrate(session, *model);
  const Score score = train_fixed(session, *model, recipe, name);
  finish(session, quantized_arm(name, *model, score), name, arms);
}

void random_arm(const Session& session, const nn::NamedTensors& start, int number,
                nn::Module& learned, ordered_json& arms) {
  const std::string name = "random-" + std::to_string(number);
  if (take_finished(session, name, arms)) return;
  const Recipe& recipe = session.recipe();
  const std::unique_ptr<nn::Module> model = make_model(recipe);
  nn::apply_state(*model, start, "the float network");
  quant::attach(*model, sample_image(recipe), quant_spec(recipe));
  calibrate(session, *model);
  for (const Role role : {Role::weight, Role::activation}) {
    const auto substream = static_cast<std::uint32_t>(2 * number + (role == Role::weight));
    const Philox random(recipe.seed, Stream::assignment, substream);
    const std::vector<quant::Width> drawn = draw_widths(*model, learned, role, recipe, random);
    auto next = drawn.begin();
    for (Quantizer* q : of_role(*model, role)) {
      q->freeze({next, next + q->width_count()});
      next += q->width_count();
    }
  }
  const Score score = train_fixed(session, *model, recipe, name);
  finish(session, quantized_arm(name, *model, score), name, arms);
}

std::unique_ptr<nn::Module> learned_arm(const Session& session, std::unique_ptr<nn::Module> model,
                                        ordered_json& result) {
  const Recipe& recipe = session.recipe();
  ordered_json& notes = session.journal().notes;
  const std::filesystem::path path = session.checkpoint("final");
  if (take_finished(session, "learned", result["arms"])) {
    model = load_checkpoint(path).model;
  } else {
    quant::attach(*model, sample_image(recipe), quant_spec(recipe));
    if (!notes.contains("budget")) search_widths(session, *model);
    const int first = recipe.float_training.epochs + recipe.search.epochs;
    if (recipe.finetune.epochs > 0)
      notes["samples_per_second"] =
          train(session, *model, recipe, recipe.finetune, {"finetune", first}).samples_per_second;
    settle_batch_norm(session, *model, recipe);
    save_checkpoint(path, *model, recipe, "final");
    const Score score = evaluate(*model, recipe, session.test());
    notes["gap"]["finetuned"] = score.accuracy;
    finish(session, quantized_arm("learned", *model, score), "final", result["arms"]);
  }
  for (const char* key : {"budget", "gap", "samples_per_second", "sensitivity"})
    if (notes.contains(key)) result[key] = notes[key];
  return model;
}

ordered_json tensors_of(nn::Module& model) {
  constexpr const char* roles[] = {"input", "weight", "activation", "sum"};
  ordered_json tensors = ordered_json::array();
  for (const Quantizer* q : quant::quantizers(model)) {
    tensors.push_back({{"name", q->info().name},
                       {"layer", layer_of(q->info().name)},
                       {"role", roles[static_cast<int>(q->info().role)]},
                       {"elements", q->info().elements},
                       {"learned_bits", q->learned_bits()},
                       {"bits", hard_bits_json(*q)},
                       {"bytes", q->bytes()}});
    if (!q->hard_width().whole()) tensors.back()["levels"] = q->hard_width().levels();
    for (Index row = 0; q->width_count() > 1 && row < q->width_count(); ++row)
      tensors.back()["channel_bits"].push_back(q->hard_bits(row));
  }
  return tensors;
}

}  // namespace fraqat::run
