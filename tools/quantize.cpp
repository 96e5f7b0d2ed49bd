#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <span>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "models/models.hpp"
#include "models/run/post_training.hpp"
#include "models/run/report.hpp"
#include "models/run/session.hpp"
#include "tools/command.hpp"
#include "tools/model_file.hpp"
#include "tools/progress.hpp"
#include "tools/signals.hpp"
#include "tools/summary.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct QuantizeOptions final : Common {
  std::string model, data, weights, out, data_dir;
  std::string range, weight_range, activation_range;
  std::vector<std::string> settings;
  int bits = 0, weight_bits = 0, activation_bits = 0, batches = 0;
  bool sensitivity = false;
};

/// The float network that MODEL is; `path` is then the file that has its numbers.
ModelFile float_network(const QuantizeOptions& options) {
  if (!options.weights.empty()) return import_weights(options.model, options.data, options.weights);
  const std::vector<std::string> names = models::names();
  check_usage(std::find(names.begin(), names.end(), options.model) == names.end(), "[quantize] ",
              options.model, " has no numbers: got the name of a network; expected a checkpoint, ",
              "or --weights FILE and --data NAME beside it");
  std::error_code error;
  const fs::path given = options.model;
  ModelFile file =
      load_model(fs::is_directory(given, error) ? (given / "checkpoints/float.safetensors").string()
                                                : options.model);
  check_usage(file.checkpoint && !file.checkpoint->quantized, "[quantize] ", in_quotes(file.path),
              " is quantized already: got ", file.checkpoint ? "a checkpoint" : "a packed model",
              "; expected a float network; try checkpoints/float.safetensors of its run");
  check_usage(options.data.empty() || options.data == file.data(), "[quantize] ",
              in_quotes(file.path), " was trained on other data: got --data ", options.data,
              "; expected ", file.data());
  return file;
}

/// What the short options say in the keys of a recipe; --set has the last word.
std::vector<std::string> short_settings(const QuantizeOptions& options) {
  std::vector<std::string> settings;
  const auto set = [&](const std::string& key, const auto& value, const auto& unset) {
    if (value == unset) return;
    std::string text;
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, int>)
      text = std::to_string(value);
    else
      text = value;
    settings.push_back(key + "=" + text);
  };
  for (const std::string side : {"weight", "activation"}) {
    const std::string section = "quant." + side;
    const bool weight = side == "weight";
    set(section + ".start", options.bits, 0);
    set(section + ".start", weight ? options.weight_bits : options.activation_bits, 0);
    set(section + ".range", options.range, "");
    set(section + ".range", weight ? options.weight_range : options.activation_range, "");
  }
  set("quant.calibration_batches", options.batches, 0);
  if (options.seed) settings.push_back("seed=" + std::to_string(*options.seed));
  settings.insert(settings.end(), options.settings.begin(), options.settings.end());
  return settings;
}

/// "4", or "2.67" of a number of levels that is no power of two.
std::string width_text(double bits) {
  return bits == std::floor(bits) ? fixed(bits, 0) : fixed(bits, 2);
}

/// True if not all tensors of a role have the same width.
bool has_mixed_widths(const Json& tensors) {
  std::map<std::string, std::set<double>> widths;
  for (const Json& tensor : tensors) widths[tensor["role"]].insert(tensor["bits"].get<double>());
  return std::any_of(widths.begin(), widths.end(),
                     [](const auto& role) { return role.second.size() > 1; });
}

/// Width and bytes of every tensor, and what it loses at each width, where that was
/// measured.
std::string tensors_table(const Json& result) {
  std::map<std::string, std::map<double, double>> losses;
  std::set<double> widths;
  for (const Json& tensor : result.value("sensitivity", Json::array()))
    for (std::size_t i = 0; i < tensor["bits"].size(); ++i) {
      const double bits = tensor["bits"][i];
      widths.insert(bits);
      losses[tensor["name"]][bits] = tensor["losses"][i];
    }
  std::vector<Table::Column> columns = {
      {"tensor", Table::Align::left}, {"numbers"}, {"bits"}, {"bytes"}};
  for (const double bits : widths) columns.push_back({"loss at " + width_text(bits)});
  Table table(columns);
  for (const Json& tensor : result["tensors"]) {
    std::vector<std::string> row = {tensor["name"], grouped(tensor["elements"].get<Index>()),
                                    width_text(tensor["bits"]),
                                    grouped(tensor["bytes"].get<Index>())};
    const auto& own = losses[tensor["name"]];
    for (const double bits : widths)
      row.push_back(own.count(bits) ? fixed(own.at(bits), 4) : std::string());
    table.row(std::move(row));
  }
  return table.text();
}

/// The result in the words of a network that was not trained.
Json for_people(Json result, const run::Recipe& recipe) {
  if (recipe.search.epochs + recipe.finetune.epochs > 0) return result;
  result["arms"].back()["name"] = "quantized";
  return result;
}

int quantize(const QuantizeOptions& options) {
  const ModelFile network = float_network(options);
  const run::Recipe recipe = run::post_training_recipe(
      network.checkpoint->recipe, short_settings(options), options.sensitivity);
  const fs::path out = options.out.empty() ? fs::path("runs") / recipe.name : fs::path(options.out);
  note_signals();
  Json result;
  try {
    Progress progress(options.quiet, recipe.batch);
    result = run::run(recipe, {out, network.path, options.data_dir, arguments()}, progress);
  } catch (const run::Stopped&) {
    std::cerr << "[quantize] stopped by a signal; to go on: fraqat train --resume " << out.string()
              << '\n';
    return shell_offset + noted_signal();
  }
  write_file_atomically((out / "report.html").string(), run::report_html(std::span(&out, 1)));
  if (options.json) {
    print_json(result);
  } else {
    if (result.contains("sensitivity") || has_mixed_widths(result["tensors"]))
      std::cout << tensors_table(result) << '\n';
    print_summary(for_people(result, recipe), out);
  }
  return result.value("verified", false) ? 0 : 1;
}

}  // namespace

void add_quantize(CLI::App& program) {
  constexpr int most_bits = 8, most_batches = 1000000000;
  const auto options = std::make_shared<QuantizeOptions>();
  Command command(program, "quantize",
                  "Quantize a float network without training it: calibrate, round, pack, verify",
                  options, [options] { return quantize(*options); });
  command
      .option("MODEL", options->model,
              "Float checkpoint or run folder; with --weights the name of a network")
      .required();
  command.weights(options->weights);
  command.option("--data", options->data, "Data set; the one it was trained on unless given")
      .type("NAME");
  command.option("--bits", options->bits, 2, most_bits, "Width of all tensors; 8 unless given")
      .type("N");
  command.option("--weight-bits", options->weight_bits, 1, most_bits, "Width of the weights")
      .type("N");
  command
      .option("--activation-bits", options->activation_bits, 2, most_bits,
              "Width of the activations")
      .type("N");
  const std::vector<std::string> policies = {"minmax", "percentile", "mse", "kl", "learned"};
  command.option("--range", options->range, "Where ranges end; mse unless given")
      .one_of(policies, true)
      .type("POLICY");
  command.option("--weight-range", options->weight_range, "The same of weights alone")
      .one_of(policies)
      .type("POLICY");
  command.option("--activation-range", options->activation_range, "The same of activations alone")
      .one_of(policies)
      .type("POLICY");
  command
      .option("--batches", options->batches, 1, most_batches,
              "Batches of the training data that ranges are set from; 16 unless given")
      .type("N");
  command
      .option("--set", options->settings,
              "Change one key of the recipe (repeatable), as quant.budget.bytes=20000")
      .type("KEY=VALUE")
      .repeatable();
  command.flag("--sensitivity", options->sensitivity,
               "Measure what each tensor loses at each width, without a budget, too");
  command.option("--out", options->out, "Run folder; runs/NETWORK-DATA-quantized unless given")
      .type("DIR");
  command.data_dir(options->data_dir);
}

}  // namespace fraqat::tools
