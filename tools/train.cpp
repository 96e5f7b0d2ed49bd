#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <span>

#include "core/file.hpp"
#include "models/run/report.hpp"
#include "models/run/session.hpp"
#include "tools/command.hpp"
#include "tools/progress.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct TrainOptions final : Common {
  std::string recipe, out, from, data_dir;
  std::vector<std::string> settings;
};

/// "uniform-8" as "uniform 8", "uniform-8-ends8" as "uniform 8 ends8".
std::string arm_title(std::string name) {
  for (char& c : name)
    if (c == '-') c = ' ';
  return name;
}

/// Accuracy, bits and bytes of every network trained, the float one first.
std::string arms_table(const Json& arms) {
  Table table({{"network", Table::Align::left},
               {"accuracy"},
               {"weight bits"},
               {"activation bits"},
               {"bytes"},
               {"size"}});
  double float_bytes = 0;
  for (const Json& arm : arms) {
    const std::string name = arm.value("name", "");
    const double bytes = arm.value("bytes", 0.0);
    if (name == "float") float_bytes = bytes;
    const bool known = float_bytes > 0 && bytes > 0;
    table.row({arm_title(name), fixed(arm.value("accuracy", 0.0), 2) + " %",
               fixed(arm.value("avg_weight_bits", 0.0), 2),
               fixed(arm.value("avg_activation_bits", 0.0), 2), grouped(static_cast<Index>(bytes)),
               known ? "1/" + fixed(float_bytes / bytes, 1) : "-"},
              name == "learned" ? Style::bold : Style::plain);
  }
  return table.text();
}

/// "2.4990 of 2.5" for each budget there is.
std::string budget_text(const Json& result) {
  std::string text;
  const auto budgets = result.find("budget");
  if (budgets == result.end()) return text;
  for (const auto& [side, budget] : budgets->items()) {
    if (!budget.is_object() || !budget.contains("target") || budget["target"].is_null()) continue;
    text += (text.empty() ? "" : ", ") + side + " " + fixed(budget.value("reached", 0.0), 4) +
            " of " + budget["target"].dump();
  }
  return text;
}

void print_result(const Json& result, const std::filesystem::path& out) {
  std::cout << arms_table(result.value("arms", Json::array())) << '\n';
  const auto line = [](std::string label, const std::string& value) {
    constexpr std::size_t width = 14;
    label.resize(width, ' ');
    std::cout << label << value << '\n';
  };
  const auto bytes = [&](const char* key) { return grouped(result.value(key, Index{0})); };
  line("average bits", fixed(result.value("avg_weight_bits", 0.0), 3) + " weights, " +
                           fixed(result.value("avg_activation_bits", 0.0), 3) + " activations");
  if (const std::string budget = budget_text(result); !budget.empty()) line("budget", budget);
  line("bytes", bytes("model_bytes") + " = " + bytes("data_bytes") + " data + " +
                    bytes("header_bytes") + " header");
  const Index mismatches = result.value("mismatches", Index{-1});
  line("mismatches:",
       styled(std::to_string(mismatches), mismatches ? Style::bad : Style::good, STDOUT_FILENO));
  line("model", (out / "model.fraqat").string());
  line("report", (out / "report.html").string());
}

int train(const TrainOptions& options) {
  constexpr int shell_offset = 128;
  std::vector<std::string> settings = options.settings;
  if (options.seed) settings.push_back("seed=" + std::to_string(*options.seed));
  const run::Recipe recipe = run::load_recipe(options.recipe, settings);
  const std::filesystem::path out = options.out.empty()
                                        ? std::filesystem::path("runs") / recipe.name
                                        : std::filesystem::path(options.out);

  note_signals();
  Json result;
  try {
    Progress progress(options.quiet, recipe.batch);
    result = run::run(recipe, {out, options.from, options.data_dir, arguments()}, progress);
  } catch (const run::Stopped& stopped) {
    std::cerr << "[train] stopped by a signal; saved " << stopped.checkpoint.string() << '\n';
    return shell_offset + noted_signal();
  }
  write_file_atomically((out / "report.html").string(), run::report_html(std::span(&out, 1)));
  if (options.json)
    print_json(result);
  else
    print_result(result, out);
  return result.value("mismatches", Index{0}) == 0 ? 0 : 1;
}

}  // namespace

void add_train(CLI::App& program) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App& command = add_command(program, "train",
                                  "Run a recipe: float training, search of bits, rounding, packing",
                                  options, [options] { return train(*options); });
  command.add_option("--recipe", options->recipe, "Name of a recipe, or a TOML file")
      ->required()
      ->type_name("NAME|FILE");
  command.add_option("--set", options->settings, "Change one key of the recipe (repeatable)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  command.add_option("--out", options->out, "Run folder; runs/NAME unless given")->type_name("DIR");
  command.add_option("--from", options->from, "Float checkpoint: skip the float phase")
      ->type_name("CHECKPOINT");
  add_data_dir(command, options->data_dir);
}

}  // namespace fraqat::tools
