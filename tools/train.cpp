#include <filesystem>
#include <iostream>
#include <span>

#include "core/file.hpp"
#include "core/text.hpp"
#include "models/run/overfit.hpp"
#include "models/run/recipe.hpp"
#include "models/run/report.hpp"
#include "models/run/session.hpp"
#include "tools/command.hpp"
#include "tools/progress.hpp"
#include "tools/signals.hpp"
#include "tools/summary.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct TrainOptions final : Common {
  std::string recipe, out, from, weights, resume, data_dir;
  std::vector<std::string> settings;
  bool trace = false, overfit = false;
};

struct Task {
  run::Recipe recipe;
  run::Options options;
};

/// A new run, or the one that is in a folder.
Task task_of(const TrainOptions& options) {
  if (!options.resume.empty()) {
    const std::filesystem::path out = options.resume;
    std::error_code error;
    check_usage(std::filesystem::exists(out / "recipe.toml", error), "[resume] ",
                in_quotes(options.resume),
                " holds no run: got no recipe.toml; expected the folder of an unfinished one");
    return {run::load_recipe((out / "recipe.toml").string(), {}),
            {out, {}, options.data_dir, {}, true, options.trace}};
  }
  check_usage(!options.recipe.empty(),
              "[train] nothing to do: got neither --recipe nor --resume; expected one of them; try "
              "--recipe "
              "lenet5-fashion");
  std::vector<std::string> settings = options.settings;
  if (options.seed) settings.push_back("seed=" + std::to_string(*options.seed));
  const run::Recipe recipe = run::load_recipe(options.recipe, settings);
  const std::filesystem::path out = options.out.empty()
                                        ? std::filesystem::path("runs") / recipe.name
                                        : std::filesystem::path(options.out);
  const std::string& from = options.weights.empty() ? options.from : options.weights;
  return {recipe, {out, from, options.data_dir, arguments(), false, options.trace}};
}

Json run_task(const TrainOptions& options, const Task& task) {
  if (task.options.resume)
    if (Json finished = run::finished_run(task.options.out); finished.is_object()) {
      if (!options.quiet)
        std::cerr << "[resume] " << in_quotes(task.options.out.string()) << " is finished\n";
      return finished;
    }
  Progress progress(options.quiet, task.recipe.batch);
  return run::run(task.recipe, task.options, progress);
}

int overfit(const TrainOptions& options, const Task& task) {
  Progress progress(options.quiet, task.recipe.batch);
  const Json result = run::overfit_one_batch(task.recipe, task.options, progress);
  if (noted_signal()) return shell_offset + noted_signal();
  if (options.json)
    print_json(result);
  else
    std::cout << "one batch: loss " << fixed(result["first_loss"], 4) << " -> "
              << fixed(result["loss"], 4) << ", accuracy " << fixed(result["accuracy"], 1)
              << " % after " << result["steps"] << " steps: "
              << (result["learned"] ? "learned by heart"
                                    : "NOT learned; look at the network, the "
                                      "rate and the gradients (--trace)")
              << '\n';
  return result["learned"] ? 0 : 1;
}

int train(const TrainOptions& options) {
  const Task task = task_of(options);
  const std::filesystem::path& out = task.options.out;
  note_signals();
  if (options.overfit) return overfit(options, task);
  Json result;
  try {
    result = run_task(options, task);
  } catch (const run::Stopped& stopped) {
    std::cerr << "[train] stopped by a signal; saved " << stopped.checkpoint.string()
              << "; to go on: fraqat train --resume " << out.string() << '\n';
    return shell_offset + noted_signal();
  }
  write_file_atomically((out / "report.html").string(), run::report_html(std::span(&out, 1)));
  if (options.json)
    print_json(result);
  else
    print_summary(result, out);
  return result.value("verified", true) ? 0 : 1;  // a float network has nothing to verify
}

}  // namespace

void add_train(CLI::App& program) {
  const auto options = std::make_shared<TrainOptions>();
  Command command(program, "train",
                  "Run a recipe: float training, search of bits, rounding, packing", options,
                  [options] { return train(*options); });
  const Option recipe =
      command.option("--recipe", options->recipe, "Name of a recipe, or a TOML file")
          .type("NAME|FILE");
  const Option settings =
      command.option("--set", options->settings, "Change one key of the recipe (repeatable)")
          .type("KEY=VALUE")
          .repeatable();
  const Option out =
      command.option("--out", options->out, "Run folder; runs/NAME unless given").type("DIR");
  const Option from =
      command.option("--from", options->from, "Float checkpoint: skip the float phase")
          .type("CHECKPOINT");
  const Option weights = command.weights(options->weights).excludes(from);
  const Option resume =
      command.option("--resume", options->resume, "Go on with the unfinished run in DIR")
          .type("DIR");
  command.flag("--trace", options->trace,
               "Write trace.csv: the first step of every epoch, and one that fails, op by op");
  command
      .flag("--overfit-one-batch", options->overfit,
            "Only see whether the float network can learn one batch by heart")
      .excludes(resume);
  for (const Option option : {recipe, settings, out, from, weights, command["--seed"]})
    resume.excludes(option);
  command.data_dir(options->data_dir);
}

}  // namespace fraqat::tools
