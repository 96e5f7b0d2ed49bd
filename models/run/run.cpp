#include "models/run/run.hpp"

#include "core/file.hpp"
#include "core/pool.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/deployment.hpp"
#include "models/run/provenance.hpp"
#include "models/run/training.hpp"

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

/// Data bytes of the packed model: codes, multipliers, offsets, scales.
Index packed_bytes(nn::Module& model) {
  const std::vector<Quantizer*> weights = of_role(model, Role::weight);
  Index bytes = overhead_bytes(weights);
  for (const Quantizer* q : weights) bytes += (q->info().elements * q->hard_bits() + 7) / 8;
  return bytes;
}

Index float_bytes(nn::Module& model) {
  Index bytes = 0;
  for (auto& [name, parameter] : nn::parameters(model)) bytes += 4 * parameter->value().size();
  for (auto& [name, buffer] : nn::buffers(model)) bytes += 4 * buffer->size();
  return bytes;
}

ordered_json float_arm(nn::Module& model, const Score& score) {
  return {{"name", "float"},         {"accuracy", score.accuracy},
          {"loss", score.loss},      {"bytes", float_bytes(model)},
          {"avg_weight_bits", 32.0}, {"avg_activation_bits", 32.0}};
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

ordered_json tensors_of(nn::Module& model) {
  constexpr const char* roles[] = {"input", "weight", "activation"};
  ordered_json tensors = ordered_json::array();
  for (const Quantizer* q : quant::quantizers(model))
    tensors.push_back({{"name", q->info().name},
                       {"layer", layer_of(q->info().name)},
                       {"role", roles[static_cast<int>(q->info().role)]},
                       {"elements", q->info().elements},
                       {"learned_bits", q->learned_bits()},
                       {"bits", q->hard_bits()},
                       {"bytes", (q->info().elements * q->hard_bits() + 7) / 8}});
  return tensors;
}

/// The float network of the recipe, trained, or read from --from.
std::unique_ptr<nn::Module> float_model(const Session& session, ordered_json& result) {
  const Recipe& recipe = session.recipe();
  if (!session.options().from.empty()) {
    Loaded loaded = load_checkpoint(session.options().from);
    check_usage(!loaded.quantized, "[train] --from ", session.options().from.string(),
                " holds a quantized network; expected the float checkpoint of a run");
    check_usage(loaded.recipe.model == recipe.model && loaded.recipe.data == recipe.data,
                "[train] --from ", session.options().from.string(), " is another network: got ",
                loaded.recipe.model, " on ", loaded.recipe.data, "; expected ", recipe.model,
                " on ", recipe.data);
    const Score score = evaluate(*loaded.model, recipe, session.test());
    result["arms"].push_back(float_arm(*loaded.model, score));
    return std::move(loaded.model);
  }
  std::unique_ptr<nn::Module> model = make_model(recipe);
  const Score score = train(session, *model, recipe, recipe.float_training, {"float"});
  save_checkpoint(session.checkpoint("float"), *model, recipe, "float");
  result["arms"].push_back(float_arm(*model, score));
  return model;
}

/// The same stretches as the learned network, with all widths fixed.
void uniform_arm(const Session& session, const nn::NamedTensors& start, int bits, bool ends8,
                 ordered_json& result) {
  Recipe recipe = session.recipe();
  recipe.weight.bits = recipe.activation.bits = "fixed";
  for (Tensors* tensors : {&recipe.weight, &recipe.activation}) {
    tensors->start = tensors->lowest = tensors->highest = bits;
    tensors->average_bits = tensors->bytes = 0;
  }
  const std::string name = "uniform-" + std::to_string(bits) + (ends8 ? "-ends8" : "");
  const std::unique_ptr<nn::Module> model = make_model(recipe);
  nn::apply_state(*model, start, "the float network");
  recipe.weight_bits.clear();
  if (ends8) {
    std::vector<std::string> layers;
    for (auto& [path, slot] : nn::slots(*model))
      if (path.ends_with("weight_q")) layers.push_back(layer_of(path));
    recipe.weight_bits = {{layers.front(), 8}, {layers.back(), 8}};
  }
  quant::attach(*model, sample_image(recipe), quant_spec(recipe));
  calibrate(session, *model);
  const int first = recipe.float_training.epochs, second = first + recipe.search.epochs;
  train(session, *model, recipe, recipe.search, {name, first});
  for (Quantizer* q : quant::quantizers(*model)) q->freeze(q->hard_bits());
  train(session, *model, recipe, recipe.finetune, {name, second, recipe.search.epochs});
  reestimate_batch_norm(session, *model, recipe.reestimate_batches);
  save_checkpoint(session.checkpoint(name), *model, recipe, name);
  const Score score = evaluate(*model, recipe, session.test());
  result["arms"].push_back(quantized_arm(name, *model, score));
}

/// From float to a network with frozen widths, which is left in `model`.
void learned_arm(const Session& session, nn::Module& model, ordered_json& result) {
  const Recipe& recipe = session.recipe();
  quant::attach(model, sample_image(recipe), quant_spec(recipe));
  calibrate(session, model);
  const int first = recipe.float_training.epochs;
  BitSearch search(model, recipe);
  train(session, model, recipe, recipe.search, {"search", first}, &search);
  save_checkpoint(session.checkpoint("search"), model, recipe, "search");
  result["budget"] = search.round();
  save_checkpoint(session.checkpoint("rounded"), model, recipe, "rounded");
  const Score last =
      train(session, model, recipe, recipe.finetune, {"finetune", first + recipe.search.epochs});
  result["samples_per_second"] = last.samples_per_second;
  reestimate_batch_norm(session, model, recipe.reestimate_batches);
  save_checkpoint(session.checkpoint("final"), model, recipe, "final");
  const Score score = evaluate(model, recipe, session.test());
  result["arms"].push_back(quantized_arm("learned", model, score));
}

/// Packs the network and has the file, read back, compute all of the test set:
/// every integer as the evaluated graph, predictions as the module forward.
void deploy_learned(const Session& session, nn::Module& model, ordered_json& result) {
  const Recipe& recipe = session.recipe();
  const deploy::Graph graph = lower(model, recipe);
  const std::string path = session.file("model.fraqat").string();
  deploy::write_packed(path, graph, model_info(recipe));
  const deploy::Packed packed = deploy::read_packed(path);
  check(deploy::data_bytes(packed.graph) == packed_bytes(model),
        "[pack] the file does not have the predicted size: got ", deploy::data_bytes(packed.graph),
        " data bytes; expected ", packed_bytes(model));
  session.observer().phase("verify", session.test()->size());
  const deploy::Verification verified =
      deploy::verify(packed.graph, &graph, &model, batches_of(session.test(), recipe.batch));
  session.observer().step(session.test()->size(), 0);
  result["model_bytes"] = packed.file_bytes;
  result["data_bytes"] = deploy::data_bytes(packed.graph);
  result["header_bytes"] = packed.header_bytes();
  result["mismatches"] = verified.different_integers();
  result["different_predictions"] = verified.different_predictions;
  result["verified"] = verified.passed();
}

}  // namespace

ordered_json run(const Recipe& recipe, const Options& options, Observer& observer) {
  const Session session(recipe, options, observer);
  ordered_json result = provenance(recipe, options);
  result["arms"] = ordered_json::array();
  const std::unique_ptr<nn::Module> model = float_model(session, result);
  const nn::NamedTensors start = nn::state_of(*model);
  for (const int bits : recipe.uniform) uniform_arm(session, start, bits, false, result);
  for (const int bits : recipe.uniform_ends8) uniform_arm(session, start, bits, true, result);
  learned_arm(session, *model, result);
  deploy_learned(session, *model, result);
  result["tensors"] = tensors_of(*model);
  const ordered_json learned = result["arms"].back();
  for (const char* key : {"accuracy", "loss", "avg_weight_bits", "avg_activation_bits"})
    result[key] = learned[key];
  result["hash"] = sha256(read_file(session.checkpoint("final").string(), std::uint64_t{1} << 32));
  result["seconds"] = session.seconds();
  result["peak_bytes"] = pool::peak_bytes();
  write_file_atomically(session.file("run.json").string(), result.dump(2) + "\n");
  return result;
}

}  // namespace fraqat::run
