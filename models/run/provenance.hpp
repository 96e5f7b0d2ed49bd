#pragma once

#include "models/run/run.hpp"

namespace fraqat::run {

/// Where a result comes from: recipe, arguments, version, processor, threads,
/// seed and the hashes of the data, as the first keys of run.json.
nlohmann::ordered_json provenance(const Recipe& recipe, const Options& options);

}  // namespace fraqat::run
