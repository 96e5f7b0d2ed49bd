#include "models/run/run.hpp"

#include "core/file.hpp"
#include "core/pool.hpp"
#include "models/run/arms.hpp"
#include "models/run/budgets.hpp"
#include "models/run/check_network.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/deployment.hpp"
#include "models/run/float_start.hpp"
#include "models/run/json_text.hpp"
#include "models/run/provenance.hpp"
#include "models/run/training.hpp"

namespace fraqat::run {
namespace {

using nlohmann::ordered_json;

/// The test set for verify(); stops where the observer wants to: all is saved.
deploy::Batches test_batches(const Session& session) {
  return [&session, next = batches_of(session.test(), session.recipe().batch),
          done = Index{0}](deploy::Batch& batch) mutable {
    if (session.observer().stopping()) throw Stopped{session.checkpoint("final")};
    if (!next(batch)) return false;
    session.observer().step(++done, 0);
    return true;
  };
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
  const Counts predicted = counts_of(quant::workload_of(model, sample_image(recipe)));
  const Counts counted{deploy::data_bytes(packed.graph), deploy::bit_operations(packed.graph),
                       deploy::peak_activation_bytes(packed.graph)};
  check(predicted == counted, "[pack] the deployed graph does not count what was predicted: got ",
        counted.bops, " bit operations and ", counted.activation_bytes,
        " bytes of activations; expected ", predicted.bops, " and ", predicted.activation_bytes);
  session.observer().phase("verify", (session.test()->size() + recipe.batch - 1) / recipe.batch);
  const deploy::Verification verified =
      deploy::verify(packed.graph, &graph, &model, test_batches(session));
  result["model_bytes"] = packed.file_bytes;
  result["data_bytes"] = deploy::data_bytes(packed.graph);
  result["bops"] = counted.bops;
  result["activation_bytes"] = counted.activation_bytes;
  result["header_bytes"] = packed.header_bytes();
  result["mismatches"] = verified.different_integers();
  result["different_predictions"] = verified.different_predictions;
  result["off_codes"] = verified.off_codes();
  result["verified"] = verified.passed();
}

/// What the last arm says of the whole run, and run.json.
ordered_json finished(const Session& session, ordered_json result) {
  const ordered_json last = result["arms"].back();
  for (const char* key : {"accuracy", "loss", "avg_weight_bits", "avg_activation_bits", "hash"})
    result[key] = last.at(key);
  result["seconds"] = session.seconds();
  result["peak_bytes"] = pool::peak_bytes();
  write_file_atomically(session.file("run.json").string(), json_text(result) + "\n");
  session.end();
  return result;
}

/// The teacher is the float network that the run starts from.
void check_teacher(const Recipe& recipe, const Options& options) {
  const auto distils = [](const Training& t) { return t.epochs > 0 && t.distillation > 0; };
  check_usage(options.resume || !options.from.empty() || recipe.float_training.epochs > 0 ||
                  !(distils(recipe.search) || distils(recipe.finetune)),
              "[train] a teacher that has learned nothing: got distillation with float.epochs = 0; "
              "expected a float network that is trained; try --from or --weights");
}

ordered_json all_phases(const Recipe& recipe, const Options& options, Observer& observer) {
  check_network(recipe);
  check_teacher(recipe, options);
  // A start that does not fit must not leave a run that would go on from it.
  if (!options.resume && !options.from.empty()) read_float_model(recipe, options.from);
  const Session session(recipe, options, observer);
  const ordered_json& notes = session.journal().notes;
  ordered_json result = provenance(recipe, options);
  for (const char* key : {"arguments", "resumed"}) result[key] = notes.at(key);
  if (const std::string from = notes.value("from_hash", ""); !from.empty()) result["from"] = from;
  result["arms"] = ordered_json::array();
  std::unique_ptr<nn::Module> model = float_model(session, result["arms"]);
  if (!recipe.quantize) {
    observer.note("quant.enabled = false: a float network is all, nothing to pack or verify");
    return finished(session, std::move(result));
  }
  const nn::NamedTensors start = nn::state_of(*model);
  if (recipe.float_longer) longer_float_arm(session, start, result["arms"]);
  for (const int bits : recipe.uniform) uniform_arm(session, start, bits, false, result["arms"]);
  for (const int bits : recipe.uniform_ends8)
    uniform_arm(session, start, bits, true, result["arms"]);
  model = learned_arm(session, std::move(model), result);
  ordered_json random = ordered_json::array();
  for (int i = 1; i <= recipe.random; ++i) random_arm(session, start, i, *model, random);
  ordered_json& arms = result["arms"];
  arms.insert(arms.end() - 1, random.begin(), random.end());  // the learned one stays the last
  deploy_learned(session, *model, result);
  result["tensors"] = tensors_of(*model);
  return finished(session, std::move(result));
}

}  // namespace

ordered_json run(const Recipe& recipe, const Options& options, Observer& observer) {
  try {
    return all_phases(recipe, options, observer);
  } catch (
      const ordered_json::exception& error) {  // a journal is JSON that anybody may have edited
    check_input(!options.resume, "[resume] ", (options.out / journal_name).string(),
                " is damaged: ", error.what(), "; try a new folder");
    throw;
  }
}

ordered_json finished_run(const std::filesystem::path& folder) {
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 26;
  const std::string path = (folder / "run.json").string();
  if (!std::filesystem::exists(path)) return {};
  ordered_json result = ordered_json::parse(read_text_file(path, most_bytes), nullptr, false);
  const auto is = [&](const char* key, bool (ordered_json::*of_type)() const noexcept) {
    const auto found = result.find(key);
    return found == result.end() || ((*found).*of_type)();
  };
  check_input(result.is_object() && is("verified", &ordered_json::is_boolean) &&
                  is("seconds", &ordered_json::is_number) && is("from", &ordered_json::is_string),
              "[resume] ", path,
              " is damaged: got no such run.json as fraqat writes; expected one ",
              "JSON object; try a new folder");
  std::filesystem::remove(folder / journal_name);  // of a run that was killed as it ended
  return result;
}

}  // namespace fraqat::run
