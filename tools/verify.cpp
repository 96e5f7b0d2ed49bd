#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "data/registry.hpp"
#include "models/run/deployment.hpp"
#include "quant/deploy/verify.hpp"
#include "tools/command.hpp"
#include "tools/model_file.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct VerifyOptions final : Common {
  std::string model, data, against, data_dir;
  Index limit = 0;
};

/// The checkpoint to compare with: --against, or the last one of the run that
/// the model lies in, if there is one.
std::optional<ModelFile> reference(const VerifyOptions& options, const std::string& model) {
  std::string path = options.against;
  if (path.empty()) {
    path = (std::filesystem::path(run_folder(model)) / "checkpoints/final.safetensors").string();
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return std::nullopt;
  }
  ModelFile file = load_model(path);
  check_usage(file.checkpoint.has_value(), "[verify] --against ", in_quotes(path),
              " is no checkpoint: got a packed model; expected checkpoints/final.safetensors");
  return file;
}

deploy::Verification verify_all(const ModelFile& model, std::optional<ModelFile>& against,
                                const std::shared_ptr<const data::Dataset>& dataset) {
  constexpr int batch = 128;
  std::optional<deploy::Graph> graph;
  if (against) graph = against->graph();
  return deploy::verify(model.packed->graph, graph ? &*graph : nullptr,
                        against ? against->checkpoint->model.get() : nullptr,
                        run::batches_of(dataset, batch));
}

Json to_json(const deploy::Verification& v) {
  Json layers = Json::array();
  for (const deploy::LayerCount& layer : v.layers)
    layers.push_back({{"op", layer.op},
                      {"layer", layer.layer},
                      {"integers", layer.integers},
                      {"different", layer.different},
                      {"off_codes", layer.off}});
  Json object = {{"passed", v.passed()},
                 {"samples", v.samples},
                 {"compared", v.integers()},
                 {"mismatches", v.different_integers()},
                 {"accuracy", 100 * v.engine_accuracy()}};
  if (v.has_module) {
    object["module_accuracy"] = 100 * v.module_accuracy();
    object["different_predictions"] = v.different_predictions;
    object["allowed_predictions"] = v.allowed_predictions();
    object["off_codes"] = v.off_codes();
  }
  object["graph_differences"] = v.graph_differences;
  object["layers"] = layers;
  return object;
}

void print(const deploy::Verification& v) {
  Table table({{"layer", Table::Align::left},
               {"op", Table::Align::left},
               {"integers compared"},
               {"different"},
               {"off in the module"}});
  for (const deploy::LayerCount& layer : v.layers)
    table.row({layer.layer, layer.op, grouped(layer.integers), grouped(layer.different),
               v.has_module ? grouped(layer.off) : ""},
              layer.different || !layer.followed() ? Style::bad : Style::plain);
  std::cout << table.text() << '\n';
  for (const std::string& difference : v.graph_differences) std::cout << difference << '\n';
  if (v.first)
    std::cout << "first difference: " << v.first->layer << ", sample " << v.first->sample
              << ", position " << v.first->position << ": evaluated " << v.first->evaluated
              << ", engine " << v.first->engine << '\n';
  std::cout << grouped(v.integers()) << " integers of " << grouped(v.samples) << " samples: "
            << styled(grouped(v.different_integers()) + " different",
                      v.different_integers() ? Style::bad : Style::good, STDOUT_FILENO)
            << "\naccuracy of the engine " << fixed(100 * v.engine_accuracy(), 2) << " %";
  if (v.has_module)
    std::cout << ", of the module forward " << fixed(100 * v.module_accuracy(), 2) << " %; "
              << v.different_predictions << " predictions differ (at most "
              << v.allowed_predictions() << " may), and " << grouped(v.off_codes())
              << " codes next to a tie (at most 0.1 % of a layer's may)";
  else
    std::cout << "; no checkpoint to compare with (--against)";
  std::cout << '\n' << (v.passed() ? "verified" : "NOT verified") << '\n';
}

int verify(const VerifyOptions& options) {
  const ModelFile model = load_model(options.model);
  check_usage(model.packed.has_value(), "[verify] ", in_quotes(model.path),
              " is no packed model: got a checkpoint; expected a *.fraqat; try --against for it");
  std::optional<ModelFile> against = reference(options, model.path);
  const auto test = model.test_set(options.data, options.data_dir, options.limit);
  const deploy::Verification verification = verify_all(model, against, test);
  if (options.json)
    print_json(to_json(verification));
  else
    print(verification);
  return verification.passed() ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& program) {
  const auto options = std::make_shared<VerifyOptions>();
  Command command(program, "verify", "Compare every integer of the engine with the evaluated graph",
                  options, [options] { return verify(*options); });
  command.option("MODEL", options->model, "Packed model or run folder").required();
  command.option("--data", options->data, "Data set; the one it was trained on unless given")
      .type("NAME");
  command
      .option("--against", options->against,
              "Checkpoint; the last one of the run the model lies in unless given")
      .type("CHECKPOINT");
  command.limit(options->limit);
  command.data_dir(options->data_dir);
}

}  // namespace fraqat::tools
