#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/run/sweep.hpp"

/// Which runs a sweep is made of, and how far each has come.
namespace fraqat::run {

/// One run of a sweep: of a row, or of the float network that rows start from.
struct SweepJob {
  const SweepRow* row = nullptr;  // none: float
  Recipe recipe;
  std::filesystem::path folder;  // below the sweep's

  std::string title() const;  // "uniform 3, seed 2"
};

/// The runs of the rows: all of the first seed, then all of the second, ...; `seeds`,
/// unless empty, instead of those of the rows.  An Error{usage} if a row gives a width to a layer
/// that its network does not have.
std::vector<SweepJob> jobs_of(const Sweep& sweep, const std::vector<std::uint64_t>& seeds);

/// The run that trains the float network which `recipe` starts from.
SweepJob float_job(const Recipe& recipe);

/// "float-HASH": the same for all recipes that agree in [data], model and [float].
std::string float_folder(const Recipe& recipe);

enum class JobState { missing, unfinished, finished };

/// How far the run in `folder` is.  An Error{usage} if it is that of another recipe: names
/// the first key that differs.
JobState state_of(const std::filesystem::path& folder, const Recipe& recipe);

/// Whether row `row` is one that `glob` ("learned*"; empty: all) names.
bool is_named(const SweepRow& row, const std::string& glob);

/// An Error{usage} if `glob` names no row.
void check_named(const Sweep& sweep, const std::string& glob);

}  // namespace fraqat::run
