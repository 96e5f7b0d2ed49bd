#include "models/run/provenance.hpp"

#include <array>
#include <ctime>
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

/// Now, in UTC: "2026-05-04T12:30:00Z".
std::string date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&now, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    return "unknown";
  return text.data();
}

}  // namespace

nlohmann::ordered_json provenance(const Recipe& recipe, const Options& options) {
  nlohmann::ordered_json hashes;
  for (const auto& [split, label] :
       {std::pair(data::Split::train, "train"), std::pair(data::Split::test, "test")})
    hashes[label] = data::open_bytes(recipe.data, split, options.data_dir)->hash();
  return {{"recipe", recipe.name},
          {"arguments", options.arguments},
          {"date", date()},
          {"version", FRAQAT_VERSION},
          {"cpu", processor()},
          {"isa", name(active_isa())},
          {"blas", blas::description()},
          {"threads", thread_count()},
          {"seed", recipe.seed},
          {"data", {{"name", recipe.data}, {"sha256", std::move(hashes)}}}};
}

}  // namespace fraqat::run
