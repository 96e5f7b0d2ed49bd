#include "models/run/sweep_plan.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "models/run/journal.hpp"
#include "models/run/recipe_keys.hpp"
#include "models/run/session.hpp"

namespace fraqat::run {
namespace {

namespace fs = std::filesystem;

/// A line of a written recipe without its comment.
std::string uncommented(std::string line) {
  line.erase(std::min(line.find("  #"), line.size()));
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

struct Written {
  std::string key, value;
};

/// Every key and value of a recipe, in the order of keys_of.
std::vector<Written> written(const Recipe& recipe) {
  std::istringstream text(to_toml(recipe));
  std::vector<Written> all;
  std::string section;
  for (std::string line; std::getline(text, line);) {
    line = uncommented(line);
    if (line.starts_with('[')) section = line.substr(1, line.size() - 2) + ".";
    const std::size_t equals = line.find(" = ");
    if (equals != std::string::npos)
      all.push_back({section + line.substr(0, equals), line.substr(equals + 3)});
  }
  return all;
}

/// The first key in which the recipes differ, to complete "holds another recipe: ".
std::string difference(const Recipe& there, const Recipe& expected) {
  const std::vector<Written> a = written(there), b = written(expected);
  const auto value = [](const std::vector<Written>& all, const std::string& key) {
    for (const Written& one : all)
      if (one.key == key) return one.value;
    return std::string("nothing");
  };
  for (const auto& [first, second] : {std::pair(&b, &a), std::pair(&a, &b)})
    for (const Written& one : *first)
      if (value(*second, one.key) != one.value)
        return one.key + " is " + value(a, one.key) + " there; expected " + value(b, one.key);
  return "nothing that is written differs";
}

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
  for (const Written& one : written(float_part(recipe)))
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
      check_layers(row.recipe);
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

}  // namespace fraqat::run
