#include "models/run/recipe.hpp"
#include "tests/bad_input/bad_input.hpp"

namespace fraqat::test {
namespace recipe_files {

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

void load(const std::string& path) { run::load_recipe(path, {}); }

}  // namespace recipe_files

BadInputs recipe_cases() {
  using namespace recipe_files;
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"unknown-section", {"[flaot]\nrate = 1\n", ":1: flaot: unknown key: got"}},
      {"unknown-key", {"seed = 1\nsped = 2\n", ":2: sped: unknown key"}},
      {"key-twice", {"seed = 1\nseed = 2\n", ":2: not TOML"}},
      {"section-twice", {"[float]\n[float]\n", ":2: not TOML"}},
      {"section-of-a-key", {"seed.x = 1\n", ":1: seed: got a table"}},
      {"key-of-a-section", {"quant = 1\n", ":1: quant: got 1; expected a section"}},
      {"array-of-tables", {"[[search]]\nrate = 1\n", ":1: search: got [a table]"}},
      {"no-value", {"seed =\n", ":1: not TOML"}},
      {"cut-in-a-string", {"name = \"lene", ":1: not TOML"}},
      {"cut-in-a-section", {"seed = 1\n[floa", ":2: not TOML"}},
      {"cut-in-an-array", {"[round]\nallowed = [2, 3,", "not TOML"}},
      {"number-as-text", {"[float]\nrate = \"0.1\"\n", ":2: float.rate: got \"0.1\""}},
      {"date-as-number", {"seed = 1979-05-27\n", ":1: seed: got a date"}},
      {"nan", {"[float]\nrate = nan\n", ":2: float.rate: got nan"}},
      {"infinity", {"[search]\nlambda = +inf\n", ":2: search.lambda: got inf"}},
      {"negative", {"[data]\nbatch = -128\n", ":2: data.batch: got -128"}},
      {"beyond-64-bits", {"seed = 99999999999999999999\n", ":1: not TOML"}},
      {"batch-too-large", {"[data]\nbatch = 2147483648\n", ":2: data.batch: got 2147483648"}},
      {"width-too-large", {"[quant.weight]\nhighest = 32\n", "quant.weight.highest: got 32"}},
      {"ends-crossed", {"[quant.weight]\nlowest = 8\nhighest = 2\n", "quant.weight.lowest: got 8"}},
      {"two-budgets", {"[quant.weight]\naverage_bits = 3\nbytes = 9\n", "quant.weight.bytes"}},
      {"widths-fall", {"[round]\nallowed = [8, 4]\n", ":2: round.allowed: got [8, 4]"}},
      {"widths-mixed", {"[round]\nallowed = [2, true]\n", ":2: round.allowed: got [2, true]"}},
      {"layer-name", {"[quant.weight_bits]\n\"a\\u0000b\" = 3\n", ":2: quant.weight_bits."}},
      {"name-is-a-path", {"name = \"../../etc/passwd\"\n", ":1: name: got \"../../etc/passwd\""}},
      {"control-in-name", {"name = \"a\\u001b[2Jb\"\n", ":1: name: got \"a\\x1b[2Jb\""}},
      {"latin-1", {"# caf\xe9\n", " at offset 5"}},
      {"overlong-utf-8", {"# \xc0\xaf\n", " at offset 2"}},
      {"zero-byte", {"seed = 1\n\0\n"s, ":2: not TOML"}},
      {"utf-16", {"\xff\xfes\0e\0e\0d\0"s, " at offset 0"}},
      {"dotted-bomb", {"a"s + repeated(".a", 400000) + " = 1\n", ":1: line too long or too deep"}},
      {"section-bomb", {"[a"s + repeated(".a", 400) + "]\n", ":1: line too long or too deep"}},
      {"array-bomb", {"x = "s + repeated("[\n", 100000), "not TOML"}},
      {"table-bomb", {"x = "s + repeated("{a=", 300), "not TOML"}},
      {"long-line", {"# "s + std::string(100000, 'x'), ":1: line too long or too deep"}},
      {"too-large", {std::string((1 << 20) + 1, '\n'), "expected at most"}},
  };
  BadInputs rows;
  for (const auto& [name, text] : cases)
    rows.push_back({std::string("recipe-").append(name), text[0], load, text[1]});
  return rows;
}

}  // namespace fraqat::test
