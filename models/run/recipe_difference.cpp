#include "models/run/recipe_difference.hpp"

#include <algorithm>
#include <sstream>

namespace fraqat::run {
namespace {

/// A line of a written recipe without its comment.
std::string uncommented(std::string line) {
  line.erase(std::min(line.find("  #"), line.size()));
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::vector<WrittenKey> written_keys(const Recipe& recipe) {
  std::istringstream text(to_toml(recipe));
  std::vector<WrittenKey> all;
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

std::string difference(const Recipe& there, const Recipe& expected) {
  const std::vector<WrittenKey> a = written_keys(there), b = written_keys(expected);
  const auto value = [](const std::vector<WrittenKey>& all, const std::string& key) {
    for (const WrittenKey& one : all)
      if (one.key == key) return one.value;
    return std::string("nothing");
  };
  for (const auto& [first, second] : {std::pair(&b, &a), std::pair(&a, &b)})
    for (const WrittenKey& one : *first)
      if (value(*second, one.key) != one.value)
        return one.key + " is " + value(a, one.key) + " there; expected " + value(b, one.key);
  return "nothing that is written differs";
}

}  // namespace fraqat::run
