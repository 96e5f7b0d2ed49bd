#include "models/run/sweep_plan.hpp"

#include <fnmatch.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "models/run/check_network.hpp"
#include "models/run/journal.hpp"
#include "models/run/recipe_difference.hpp"
#include "models/run/recipe_keys.hpp"
#include "models/run/session.hpp"

namespace fraqat::run {
namespace {

namespace fs = std::filesystem;

bool is_of_float(const std::string& path) {
  return path == "model" || path.starts_with("data.") || path.starts_with("float.");
}

/// What of `recipe` float training depends on, but its seed; all else has its default.
Recipe float_part(const Recipe& recipe) {
  Recipe copy = recipe, part;
  part.name = "float";
  part.quantize = false;
  const std::vector<Key> from = keys_of(copy), to = keys_of(part);
  for (std::size_t i = 0; i < to.size(); ++i)
    if (is_of_float(to[i].path))
      std::visit([&](auto* field) { *field = *std::get<decltype(field)>(from[i].field); },
                 to[i].field);
  return part;
}

}  // namespace

std::string SweepJob::title() const {
  return (row ? row->name : "float") + ", seed " + std::to_string(recipe.seed);
}

std::string float_folder(const Recipe& recipe) {
  constexpr std::size_t digits = 8;
  std::string text;
  for (const WrittenKey& one : written_keys(float_part(recipe)))
    if (is_of_float(one.key)) text += one.key + " = " + one.value + "\n";
  return "float-" + sha256(std::as_bytes(std::span(text))).substr(0, digits);
}

SweepJob float_job(const Recipe& recipe) {
  SweepJob job{nullptr, float_part(recipe),
               fs::path(float_folder(recipe)) / ("seed-" + std::to_string(recipe.seed))};
  job.recipe.seed = recipe.seed;
  return job;
}

std::vector<SweepJob> jobs_of(const Sweep& sweep, const std::vector<std::uint64_t>& seeds) {
  std::vector<SweepJob> jobs;
  const auto of_row = [&](const SweepRow& row) -> const std::vector<std::uint64_t>& {
    return seeds.empty() ? row.seeds : seeds;
  };
  std::size_t most = 0;
  for (const SweepRow& row : sweep.rows) {
    try {
      check_network(row.recipe);
    } catch (const Error& error) {
      fail(error.kind(), "[sweep] row ", in_quotes(row.name), ": ", error.what());
    }
    most = std::max(most, of_row(row).size());
  }
  for (std::size_t i = 0; i < most; ++i)
    for (const SweepRow& row : sweep.rows) {
      if (i >= of_row(row).size()) continue;
      const std::uint64_t seed = of_row(row)[i];
      jobs.push_back({&row, row.recipe, fs::path(row.folder) / ("seed-" + std::to_string(seed))});
      jobs.back().recipe.seed = seed;
    }
  return jobs;
}

JobState state_of(const fs::path& folder, const Recipe& recipe) {
  const bool finished = fs::exists(folder / "run.json");
  if (!finished && !fs::exists(folder / journal_name)) return JobState::missing;
  const std::string file = (folder / "recipe.toml").string();
  const Recipe there = load_recipe(file, {});
  check_usage(there == recipe, "[sweep] ", folder.string(),
              " holds the run of another recipe: ", difference(there, recipe),
              "; try another --out, or remove the folder first");
  return finished ? JobState::finished : JobState::unfinished;
}

bool is_named(const SweepRow& row, const std::string& glob) {
  return glob.empty() || glob == row.name || ::fnmatch(glob.c_str(), row.name.c_str(), 0) == 0 ||
         ::fnmatch(glob.c_str(), row.folder.c_str(), 0) == 0;
}

void check_named(const Sweep& sweep, const std::string& glob) {
  check_usage(std::any_of(sweep.rows.begin(), sweep.rows.end(),
                          [&](const SweepRow& row) { return is_named(row, glob); }),
              "[sweep] no such row: got ", in_quotes(glob), "; expected a name of ",
              in_quotes(sweep.name), " or a pattern; try --dry-run, which lists them");
}

}  // namespace fraqat::run
