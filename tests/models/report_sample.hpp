#pragma once

#include <nlohmann/json.hpp>
#include <string>

/// Run folders as `fraqat train` leaves them, with plausible numbers.
namespace fraqat::test {

/// What run.json of the sample says; `recipe` is its name.
nlohmann::ordered_json sample_result(const std::string& recipe);

/// Makes `folder` a finished run of LeNet-5: run.json, metrics.jsonl, recipe.toml.
/// `spread` moves the numbers a little, so that two samples differ.
void write_sample_run(const std::string& folder, const std::string& recipe, double spread = 0);

}  // namespace fraqat::test
