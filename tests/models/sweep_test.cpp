#include "models/run/sweep.hpp"

#include <doctest/doctest.h>

#include "core/error.hpp"
#include "models/run/recipe_files.hpp"
#include "models/run/sweep_plan.hpp"

namespace fraqat::sweep_test {

using namespace fraqat::run;

namespace {

constexpr const char* start = "recipe = \"lenet5-fashion\"\n";

Sweep read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_sweep(start + text, "FILE", overrides);
}

struct Refusal {
  std::string text;
  int code = 0;
};

Refusal refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse_sweep(text, "FILE", overrides);
  } catch (const Error& error) {
    return {error.what(), error.exit_code()};
  }
  return {};
}

std::vector<std::string> names(const Sweep& sweep) {
  std::vector<std::string> all;
  for (const SweepRow& row : sweep.rows) all.push_back(row.name);
  return all;
}

}  // namespace

TEST_CASE("sweep: rows are the base, [set], and what each says, in this order") {
  const Sweep sweep = read(R"toml(
seeds = [3, 1]
[set]
"search.epochs" = 2
search.rate = 0.5
[[row]]
name = "Uniform 3 (all layers)"
[row.set]
quant.weight = { bits = "fixed", average_bits = 0 }
search.rate = 0.25
[[row]]
name = "short"
seeds = [7]
arms = "learned"
)toml",
                           {"finetune.epochs=1"});
  CHECK(sweep.recipe == "lenet5-fashion");
  REQUIRE(names(sweep) == std::vector<std::string>{"Uniform 3 (all layers)", "short"});
  const SweepRow &first = sweep.rows[0], &second = sweep.rows[1];
  CHECK(first.folder == "Uniform-3-all-layers");
  CHECK(first.recipe.name == first.folder);
  CHECK(first.seeds == std::vector<std::uint64_t>{3, 1});
  CHECK(first.all_arms);
  CHECK(first.recipe.search.epochs == 2);
  CHECK(first.recipe.search.rate == 0.25);
  CHECK(first.recipe.weight.bits == "fixed");
  CHECK(first.recipe.finetune.epochs == 1);
  CHECK(second.seeds == std::vector<std::uint64_t>{7});
  CHECK_FALSE(second.all_arms);
  CHECK(second.recipe.search.rate == 0.5);
  CHECK(second.recipe.weight.bits == "stochastic");
  CHECK(second.recipe.weight.average_bits == 2.5);  // of the base
}

TEST_CASE("sweep: a grid is the product of its lists, in the order of the file") {
  const Sweep sweep = read(R"toml(
[[row]]
name = "first"
[[grid]]
name = "{policy} at {bits}, rate {search.rate}, {way}"
[grid.set]
round.mode = "nearest"
[grid.over]
policy = { keys = ["quant.weight.bits", "quant.activation.bits"], values = ["stochastic", "logits-gumbel"] }
bits = { keys = ["quant.weight.average_bits"], values = [3, 2.25] }
search.rate = [0.1]
way = [
  { name = "fast", search.epochs = 1, finetune.epochs = 2 },
  { name = "slow", search.epochs = 3, finetune.epochs = 4 },
]
[[row]]
name = "last"
)toml");
  CHECK(names(sweep) ==
        std::vector<std::string>{
            "first", "stochastic at 3, rate 0.1, fast", "stochastic at 3, rate 0.1, slow",
            "stochastic at 2.25, rate 0.1, fast", "stochastic at 2.25, rate 0.1, slow",
            "logits-gumbel at 3, rate 0.1, fast", "logits-gumbel at 3, rate 0.1, slow",
            "logits-gumbel at 2.25, rate 0.1, fast", "logits-gumbel at 2.25, rate 0.1, slow",
            "last"});
  const Recipe& one = sweep.rows[7].recipe;
  CHECK(one.weight.bits == "logits-gumbel");
  CHECK(one.activation.bits == "logits-gumbel");
  CHECK(one.weight.average_bits == 2.25);
  CHECK(one.activation.average_bits == 2.5);
  CHECK(one.search.rate == 0.1);
  CHECK(one.search.epochs == 1);
  CHECK(one.finetune.epochs == 2);
  CHECK(one.rounding == "nearest");
  CHECK(sweep.rows[0].recipe.rounding == "budget");
}

TEST_CASE("sweep: a list that is the value of a key goes to it whole") {
  const Sweep sweep = read(
      "[[grid]]\nname = \"allowed {round.allowed}\"\n[grid.over]\nround.allowed = [[2, 4, 8], "
      "[3]]\n");
  CHECK(names(sweep) == std::vector<std::string>{"allowed [2, 4, 8]", "allowed [3]"});
  CHECK(sweep.rows[0].recipe.allowed == std::vector{2, 4, 8});
  CHECK(sweep.rows[1].recipe.allowed == std::vector{3});
}

TEST_CASE("sweep: a bad file is blamed by line, row and key") {
  const auto says = [](const std::string& text, const std::string& expected) {
    const Refusal r = refusal(start + text);
    CHECK(r.text == "[sweep] FILE" + expected);
    CHECK(r.code == 3);
  };
  says("[[row]]\nname = \"a\"\n[row.set]\nround.mode = \"budgt\"\n",
       ":5: row \"a\": round.mode: got \"budgt\"; expected nearest, ceil, floor or budget; try "
       "budget");
  says("[set]\nsearch.epoch = 1\n[[row]]\nname = \"a\"\n",
       ":3: row \"a\": search.epoch: unknown key: got \"epoch\"; expected a key of a recipe; try "
       "search.epochs");
  says("[[row]]\nname = \"a\"\n[row.set]\nquant.weight.bits = \"fixed\"\n",
       ":2: row \"a\": quant.weight.average_bits: got a budget with bits = \"fixed\"; expected 0, "
       "or a policy that learns");
  says(
      "[[rwo]]\nname = \"a\"\n",
      ":2: rwo: unknown key: got \"rwo\"; expected one of name, recipe, weights, seeds, arms, set, "
      "row, grid; try row");
  says(
      "[[row]]\nname = \"a b\"\n[[row]]\nname = \"a/b\"\n",
      ":4: row.name: two rows are called \"a/b\": got another in line 2; expected a name for each");
  says("[[grid]]\nname = \"a\"\n[grid.over]\nsearch.epochs = [1, 2]\n",
       ":2: grid.name: two rows are called \"a\": got another in line 2; expected a name with each "
       "{key} of [grid.over]");
  says("[[grid]]\nname = \"{search.epoch}\"\n[grid.over]\nsearch.epochs = [1, 2]\n",
       ":2: grid.name: got {search.epoch}; expected what [grid.over] lists; try {search.epochs}");
  says("[[row]]\nname = \"a\"\n[row.set]\nseed = 3\n",
       ":5: row.set.seed: got 3; expected none: seeds = [...], or --seeds, says which are run");
  says("[[row]]\nname = \"front.svg\"\n",
       ":2: row.name: got \"front.svg\", a file of the sweep's; expected another");
  says("seeds = [1, 1]\n", ":2: seeds: got [1, 1]; expected a list of different whole numbers");
  says("[[row]]\nname = \"a\"\narms = \"some\"\n",
       ":4: row.arms: got \"some\"; expected all or learned");
  says("[[grid]]\nname = \"a\"\n", ":2: grid: nothing to combine; expected lists in [grid.over]");
  says("[[row]]\n", ":2: row: no name; expected name = \"...\"");
  says("", ": row: got none; expected at least one [[row]] or [[grid]]");
  says("name = \"../x\"\n",
       ":2: name: got \"../x\"; expected letters, digits, '.', '_' and '-': a "
       "folder's name");
  says("[[grid]]\nname = \"a\"\n[grid.over]\nways = [{search.epochs = 1}]\n",
       ":5: grid.over.ways: got a table; expected values of a key of a recipe, or tables of "
       "settings, each with a name; try { name = \"...\", search.rate = 0.1 }");
  CHECK(refusal("[[row]]\nname = \"a\"\n").text ==
        "[sweep] FILE: recipe: got none; expected the name of a recipe, or a TOML file");
  const Refusal unknown = refusal("recipe = \"lenet6\"\n[[row]]\nname = \"a\"\n");
  CHECK(unknown.text.starts_with("[recipe] unknown recipe: got \"lenet6\""));
}

TEST_CASE("sweep: values of every type in every place, and files made to hurt a parser") {
  std::string dots = "a";
  for (int i = 0; i < 100000; ++i) dots += ".a";
  const std::string big = "[[grid]]\nname = \"{seed}\"\n[grid.over]\n";
  std::string many = big;
  for (const char* key : {"search.epochs", "finetune.epochs", "float.epochs", "data.batch"})
    many += std::string(key) + " = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n";
  for (const std::string& text :
       {std::string("row = 3"),
        std::string("row = [3]"),
        std::string("[row]\nname = \"a\""),
        std::string("grid = {}"),
        std::string("set = 3"),
        std::string("seeds = 1"),
        std::string("seeds = [-1]"),
        std::string("seeds = []"),
        std::string("seeds = [1.5]"),
        std::string("name = 3"),
        std::string("weights = \"\""),
        std::string("arms = 1"),
        std::string("[[row]]\nname = \"\\u0007\""),
        std::string("[[row]]\nname = \"///\""),
        std::string("[[row]]\nname = \"a\"\nset = 3"),
        std::string("[[row]]\nname = \"a\"\nover = {}"),
        big + "search.epochs = 3",
        big + "search.epochs = []",
        big + "x = { keys = 3, values = [1] }",
        big + "x = { keys = [3], values = [1] }",
        big + "x = { keys = [\"a\"], values = [] }",
        big + "x = { keys = [\"a\"] }",
        big + "x = { keys = [\"a\"], values = [1], y = 2 }",
        many,
        "[set]\n" + dots + " = 1",
        std::string("x = \xff"),
        std::string(300000, '['),
        std::string("[[row]]\nname = \"a\"\n[row.set]\nsearch.rate = nan"),
        std::string("[[row]]\nname = \"a\"\n[row.set]\nsearch.rate = 1979-05-27"),
        std::string("[[row]]\nname = \"a\"\n[row.set]\nmodel = \"\"\"a\nb\"\"\"")}) {
    CAPTURE(text.substr(0, 80));
    const Refusal r = refusal(start + text);
    CHECK(r.code == 3);
    CHECK(r.text.starts_with("[sweep] FILE"));
    CHECK(r.text.find('\n') == std::string::npos);
    CHECK(r.text.size() < 700);
  }
  CHECK_THROWS_WITH_AS(load_sweep("no-such-sweep", {}), doctest::Contains("unknown sweep"), Error);
  CHECK_THROWS_AS(load_sweep("/dev/zero.toml", {}), Error);
  CHECK(refusal(std::string(start) + "[[row]]\nname = \"a\"\n", {"search.epochs=x"}).code == 2);
  // What suits the row that is meant need not suit another: it is named.
  const std::string budget = "[[row]]\nname = \"b\"\n[row.set]\nquant.weight.average_bits = 3\n";
  const Refusal other = refusal(start + budget, {"quant.weight.bits=schedule"});
  CHECK(other.code == 2);
  CHECK(other.text.starts_with("[sweep] row \"b\": [recipe] --set quant.weight.average_bits: got"));
}

TEST_CASE("sweep: what is set for all rows is theirs, and nothing that a grid varies") {
  const Sweep rates =
      read("[[grid]]\nname = \"{search.rate}\"\n[grid.over]\nsearch.rate = [0.1, 0.2]\n",
           {"search.epochs=2"});
  REQUIRE(rates.rows.size() == 2);
  for (const SweepRow& row : rates.rows) {
    CHECK(row.settings.back().key == "search.epochs");
    CHECK(row.settings.back().value == "2");
  }
  CHECK_THROWS_WITH_AS(grid_sweep("lenet5-fashion", {"search.rate=0.1,0.2"}, {"search.rate=0.3"}),
                       "[sweep] --set takes what the rows differ in: got \"search.rate\", which "
                       "\"rate 0.1\" has from "
                       "its grid; expected a key of none; try a grid without it",
                       Error);
}

TEST_CASE("sweep: a grid of the command line is that of a file") {
  const Sweep line = grid_sweep("lenet5-fashion",
                                {"quant.weight.bits=stochastic,level",
                                 "round.allowed=[2, 4],[2,3,4]", "quant.weight_bits.conv1=4"},
                                {"search.epochs=2"});
  CHECK(line.name == "lenet5-fashion-grid");
  CHECK(names(line)[1] == "bits stochastic, allowed [2, 3, 4], conv1 4");
  CHECK(is_named(line.rows[1], line.rows[1].name));  // though it looks like a pattern
  const Sweep file = read(
      "[[grid]]\nname = \"{quant.weight.bits} "
      "{round.allowed}\"\n[grid.set]\nquant.weight_bits.conv1 = 4\n"
      "[grid.over]\nquant.weight.bits = [\"stochastic\", \"level\"]\n"
      "round.allowed = [[2, 4], [2, 3, 4]]\n",
      {"search.epochs=2"});
  REQUIRE(line.rows.size() == 4);
  REQUIRE(file.rows.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    Recipe recipe = line.rows[i].recipe;
    CHECK(recipe.name == line.rows[i].folder);
    recipe.name = file.rows[i].recipe.name;
    CHECK(recipe == file.rows[i].recipe);
  }
  // Keys of one section need not stand together, and equal last words are told apart.
  const Sweep mixed = grid_sweep(
      "lenet5-fashion",
      {"quant.weight.start=2,3", "search.rate=0.01,0.02", "quant.activation.start=4,5"}, {});
  CHECK(names(mixed)[1] == "quant.weight.start 2, rate 0.01, quant.activation.start 5");
  for (const char* wrong : {"name=a,b", "search.rate", "=1", "search.rate=", "search.rate=fast",
                            "search.rat=1", "quant.weight.bits=level,level", "seed=1,2"}) {
    CAPTURE(std::string(wrong));
    try {
      grid_sweep("lenet5-fashion", {wrong}, {});
      FAIL("was taken");
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      CHECK(std::string(error.what()).find("--grid") != std::string::npos);
    }
  }
}

TEST_CASE("sweep: runs go seed by seed; a float network is shared by who agrees on it") {
  const Sweep sweep = read(R"toml(
seeds = [1, 2]
[[row]]
name = "a"
[[row]]
name = "b"
seeds = [5]
[row.set]
search.epochs = 1
quant.weight.start = 4
[[row]]
name = "c"
[row.set]
float.rate = 0.1
)toml");
  std::vector<std::string> titles;
  for (const SweepJob& job : jobs_of(sweep, {})) titles.push_back(job.title());
  CHECK(titles ==
        std::vector<std::string>{"a, seed 1", "b, seed 5", "c, seed 1", "a, seed 2", "c, seed 2"});
  CHECK(jobs_of(sweep, {9}).size() == 3);
  CHECK(jobs_of(sweep, {9})[1].recipe.seed == 9);
  CHECK(jobs_of(sweep, {9})[1].folder == "b/seed-9");
  const Recipe &a = sweep.rows[0].recipe, &b = sweep.rows[1].recipe, &c = sweep.rows[2].recipe;
  CHECK(float_folder(a) == float_folder(b));
  CHECK(float_folder(a) != float_folder(c));
  for (const char* other : {"model=mlp", "data.name=mnist", "data.batch=64",
                            "data.augment=crop-flip", "data.train_limit=5", "data.test_limit=5",
                            "float.epochs=1", "float.optimizer=adam", "float.warmup=0.5"}) {
    CAPTURE(other);
    CHECK(float_folder(load_recipe("lenet5-fashion", {other})) != float_folder(a));
  }
  const SweepJob job = float_job(a);
  CHECK_FALSE(job.recipe.quantize);
  CHECK(job.recipe.model == a.model);
  CHECK(job.recipe.float_training == a.float_training);
  CHECK(job.title() == "float, seed 1");
  CHECK(is_named(sweep.rows[0], ""));
  CHECK(is_named(sweep.rows[0], "[ab]"));
  CHECK_FALSE(is_named(sweep.rows[0], "b*"));
}

TEST_CASE("sweep: the sweeps that come with fraqat load, every row of them") {
  int sweeps = 0;
  const auto folder = std::filesystem::path(find_sweep("lenet5-fashion")).parent_path();
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".toml") continue;
    const std::string name = file.path().stem().string();
    CAPTURE(name);
    const Sweep sweep = load_sweep(name, {});
    CHECK(sweep.name == name);
    CHECK(sweep.rows.size() > 0);
    ++sweeps;
  }
  CHECK(sweeps >= 10);
}

}  // namespace fraqat::sweep_test
