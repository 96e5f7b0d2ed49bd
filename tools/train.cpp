#include <filesystem>
#include <iostream>
#include <span>

#include "core/file.hpp"
#include "models/run/report.hpp"
#include "models/run/session.hpp"
#include "tools/command.hpp"
#include "tools/progress.hpp"
#include "tools/signals.hpp"
#include "tools/summary.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct TrainOptions final : Common {
  std::string recipe, out, from, data_dir;
  std::vector<std::string> settings;
};

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
    print_summary(result, out);
  return result.value("verified", false) ? 0 : 1;
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
