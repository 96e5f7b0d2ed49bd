#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <optional>

#include "core/error.hpp"
#include "core/text.hpp"
#include "models/run/session.hpp"
#include "models/run/sweep_page.hpp"
#include "models/run/sweep_plan.hpp"
#include "models/run/sweep_run.hpp"
#include "tools/command.hpp"
#include "tools/progress.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct SweepCommand final : Common {
  std::string sweep, recipe, out, rows, seeds, from, weights, data_dir;
  std::vector<std::string> grids, settings;
  bool dry_run = false;
};

/// Which run of how many, above the progress of the run.
class SweepProgress final : public run::SweepObserver {
 public:
  explicit SweepProgress(bool quiet) : quiet_(quiet) {}

  void begins(const run::SweepStage& stage) override {
    progress_.emplace(quiet_, stage.batch);
    progress_->note("run " + std::to_string(stage.number) + " of " + std::to_string(stage.of) +
                    ": " + stage.title +
                    (stage.seconds_to_go > 0 ? "; all: ETA " + duration(stage.seconds_to_go) : ""));
  }
  void phase(std::string_view name, Index steps) override { progress_->phase(name, steps); }
  void step(Index done, double loss) override { progress_->step(done, loss); }
  void metrics(const Json& line) override { progress_->metrics(line); }
  void note(std::string_view text) override { progress_->note(text); }
  bool stopping() override { return noted_signal() != 0; }

 private:
  bool quiet_;
  std::optional<Progress> progress_;
};

/// "1,2,3"
std::vector<std::uint64_t> seeds_of(const SweepCommand& command) {
  std::vector<std::uint64_t> seeds;
  if (command.seed) return {*command.seed};
  const char *at = command.seeds.data(), *end = at + command.seeds.size();
  while (at < end) {
    std::uint64_t seed = 0;
    const auto [next, error] = std::from_chars(at, end, seed);
    const bool read = error == std::errc() && (next == end || (*next == ',' && next + 1 < end)) &&
                      seed <= std::numeric_limits<std::int64_t>::max();
    const bool again = std::find(seeds.begin(), seeds.end(), seed) != seeds.end();
    check_usage(read && !again, "[sweep] --seeds is no list of seeds: got ",
                in_quotes(command.seeds),
                "; expected different whole numbers up to 2^63 - 1; try 1,2,3");
    seeds.push_back(seed);
    at = next + 1;
  }
  return seeds;
}

/// The command that repeats the sweep, apart from --rows, --seeds and --out.
std::string repeated(const SweepCommand& command) {
  std::string text =
      "fraqat sweep " + (command.sweep.empty() ? "--recipe " + shell_quoted(command.recipe)
                                               : shell_quoted(command.sweep));
  for (const std::string& grid : command.grids) text += " --grid " + shell_quoted(grid);
  for (const std::string& setting : command.settings) text += " --set " + shell_quoted(setting);
  if (!command.from.empty()) text += " --from " + shell_quoted(command.from);
  if (!command.weights.empty()) text += " --weights " + shell_quoted(command.weights);
  return text;
}

std::string table_of(const run::Summary& summary) {
  std::vector<Table::Column> columns;
  for (const std::string& title : run::table_titles()) columns.push_back({title});
  columns.front().align = Table::Align::left;
  Table table(std::move(columns));
  for (const run::SummaryRow& row : summary.rows)
    table.row(run::cells_of(row), row.on_front ? Style::bold : Style::plain);
  return table.text();
}

void print_result(const run::Summary& summary, const std::filesystem::path& out) {
  std::cout << table_of(summary) << '\n'
            << summary.finished << " of " << summary.runs << " runs finished; "
            << (out / "sweep.html").string() << '\n';
  for (const Json& failure : summary.failures)
    std::cout << styled("failed: ", Style::bad, STDOUT_FILENO) << failure["row"].get<std::string>()
              << ", seed " << failure["seed"] << ": " << failure["error"].get<std::string>()
              << '\n';
}

/// What a row is told: for each key the last word.
Json settings_of(const run::SweepRow& row) {
  Json settings = Json::object();
  for (const run::Setting& setting : row.settings) settings[setting.key] = setting.value;
  return settings;
}

std::string text_of(const Json& settings, const Json& without) {
  std::string text;
  for (const auto& [key, value] : settings.items())
    if (!without.contains(key) || without[key] != value)
      text += (text.empty() ? "" : ", ") + key + " = " + value.get<std::string>();
  return text;
}

/// What all rows are told alike.
Json common_settings(const run::Sweep& sweep) {
  Json common = settings_of(sweep.rows.front());
  for (const run::SweepRow& row : sweep.rows) {
    const Json settings = settings_of(row);
    Json kept = Json::object();
    for (const auto& [key, value] : common.items())
      if (settings.contains(key) && settings[key] == value) kept[key] = value;
    common = std::move(kept);
  }
  return common;
}

/// The runs, what each is told, and how far it is; trains nothing.
int list_runs(const SweepCommand& command, const run::Sweep& sweep,
              const run::SweepOptions& options) {
  constexpr const char* states[] = {"missing", "unfinished", "finished"};
  run::check_named(sweep, options.rows);
  const Json common = common_settings(sweep);
  Json runs = Json::array();
  Table table({{"run", Table::Align::left},
               {"state", Table::Align::left},
               {"settings", Table::Align::left}});
  for (const run::SweepJob& job : run::jobs_of(sweep, options.seeds)) {
    if (!run::is_named(*job.row, options.rows)) continue;
    const auto state = run::state_of(options.out / job.folder, job.recipe);
    const char* word = states[static_cast<int>(state)];
    Json settings = settings_of(*job.row);
    table.row({job.title(), word, text_of(settings, common)});
    runs.push_back({{"row", job.row->name},
                    {"seed", job.recipe.seed},
                    {"state", word},
                    {"folder", (options.out / job.folder).string()},
                    {"settings", std::move(settings)}});
  }
  if (command.json)
    print_json({{"sweep", sweep.name}, {"recipe", sweep.recipe}, {"runs", std::move(runs)}});
  else
    std::cout << "all rows: recipe " << sweep.recipe << (common.empty() ? "" : ", ")
              << text_of(common, Json::object()) << "\n\n"
              << table.text();
  return 0;
}

/// From its file, or from --recipe and --grid.
run::Sweep sweep_of(const SweepCommand& command) {
  const bool file = !command.sweep.empty(),
             grid = !command.recipe.empty() && !command.grids.empty();
  check_usage(file ? command.recipe.empty() && command.grids.empty() : grid,
              "[sweep] what to run: got ",
              file                      ? "a sweep with --recipe or --grid"
              : !command.recipe.empty() ? "no --grid"
              : !command.grids.empty()  ? "no --recipe"
                                        : "nothing",
              "; expected SWEEP, or --recipe and --grid; try --recipe lenet5-fashion "
              "--grid search.bit_rate=0.02,0.05");
  return file ? run::load_sweep(command.sweep, command.settings)
              : run::grid_sweep(command.recipe, command.grids, command.settings);
}

int sweep(const SweepCommand& command) {
  const run::Sweep sweep = sweep_of(command);
  const run::SweepOptions options{command.out.empty()
                                      ? std::filesystem::path("runs") / ("sweep-" + sweep.name)
                                      : std::filesystem::path(command.out),
                                  command.weights.empty() ? command.from : command.weights,
                                  command.data_dir,
                                  arguments(),
                                  repeated(command),
                                  command.rows,
                                  seeds_of(command)};
  if (command.dry_run) return list_runs(command, sweep, options);
  note_signals();
  run::Summary summary;
  try {
    SweepProgress progress(command.quiet);
    summary = run::run_sweep(sweep, options, progress);
  } catch (const run::Stopped&) {
    std::cerr << "[sweep] stopped by a signal; all is saved; to go on, the same command again\n";
    return shell_offset + noted_signal();
  }
  if (command.json)
    print_json(run::to_json(summary));
  else
    print_result(summary, options.out);
  for (const run::SummaryRow& row : summary.rows)
    if (!row.verified()) return 1;
  return summary.failures.empty() ? 0 : 1;
}

}  // namespace

void add_sweep(CLI::App& program) {
  const auto options = std::make_shared<SweepCommand>();
  Command command(program, "sweep", "Run a grid of recipes; resumes; one table, one front", options,
                  [options] { return sweep(*options); });
  command.option("SWEEP", options->sweep, "Name of a sweep, or a TOML file");
  command.option("--recipe", options->recipe, "In place of SWEEP: a recipe, for --grid")
      .type("NAME");
  command.option("--grid", options->grids, "Values of a key, each a row (repeatable)")
      .type("KEY=A,B,C")
      .repeatable();
  command
      .option("--out", options->out,
              "Folder of the sweep; runs/sweep-NAME unless given; goes on there")
      .type("DIR");
  command
      .option("--rows", options->rows, "Run only rows of this name; * and ? stand for any letters")
      .type("GLOB");
  const Option seeds =
      command.option("--seeds", options->seeds, "Instead of those in the file: 1,2,3").type("LIST");
  command.option("--set", options->settings, "Change one key of every recipe (repeatable)")
      .type("KEY=VALUE")
      .repeatable();
  const Option from =
      command.option("--from", options->from, "Float checkpoint for every row").type("CHECKPOINT");
  command.weights(options->weights).excludes(from);
  command.flag("--dry-run", options->dry_run, "Check and list the runs; train nothing");
  seeds.excludes(command["--seed"]);
  command.data_dir(options->data_dir);
}

}  // namespace fraqat::tools
