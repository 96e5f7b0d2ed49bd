#include "models/run/provenance.hpp"

#include <fstream>

#include "core/blas.hpp"
#include "core/isa.hpp"
#include "core/parallel.hpp"
#include "data/registry.hpp"

namespace fraqat::run {
namespace {

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (const std::size_t colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "unknown";
}

}  // namespace

nlohmann::ordered_json provenance(const Recipe& recipe, const Options& options) {
  nlohmann::ordered_json hashes;
  for (const auto& [split, label] :
       {std::pair(data::Split::train, "train"), std::pair(data::Split::test, "test")})
    hashes[label] = data::open_bytes(recipe.data, split, options.data_dir)->hash();
  return {{"recipe", recipe.name},
          {"arguments", options.arguments},
          {"version", FRAQAT_VERSION},
          {"cpu", processor()},
          {"isa", name(active_isa())},
          {"blas", blas::description()},
          {"threads", thread_count()},
          {"seed", recipe.seed},
          {"data", {{"name", recipe.data}, {"sha256", std::move(hashes)}}}};
}

}  // namespace fraqat::run
