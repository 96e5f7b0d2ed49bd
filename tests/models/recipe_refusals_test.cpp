#include <doctest/doctest.h>

#include "core/error.hpp"
#include "models/run/recipe.hpp"
#include "tests/models/recipe_file.hpp"

namespace fraqat::recipe_refusals_test {

using namespace fraqat::run;

namespace {

/// The error that loading ends with, without the folder of the file.
struct Refusal {
  std::string text;
  int code = 0;
};

Refusal refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const test::RecipeFile file(text);
  try {
    load_recipe(file.path(), overrides);
  } catch (const Error& error) {
    std::string message = error.what();
    const std::size_t at = message.find(file.path());
    if (at != std::string::npos) message.replace(at, file.path().size(), "FILE");
    return {message, error.exit_code()};
  }
  return {};
}

}  // namespace

TEST_CASE("recipe: what has no say refuses nothing") {
  // The last width of a schedule is given, and a constant temperature has no end.
  CHECK(refusal("[quant.weight]\nbits = \"schedule\"\nlowest = 5\nstart = 5\naverage_bits = 0\n"
                "[curriculum]\nwidths = [8, 6]\nshares = [0.5, 0.5]\n[round]\nallowed = [2, 4]\n"
                "[quant.activation]\naverage_bits = 0\n")
            .text.empty());
  CHECK(refusal("[search]\ntemperature_schedule = \"constant\"\ntemperature_start = 0.05\n")
            .text.empty());
  CHECK(refusal("[quant.weight]\nlowest = 1\n[round]\nallowed_weight = [1, 2, 4]\n").text.empty());
}

TEST_CASE("recipe: a bad file is blamed by line and key") {
  const auto says = [](const std::string& text, const std::string& expected) {
    const Refusal r = refusal(text);
    CHECK(r.text == "[recipe] " + expected);
    CHECK(r.code == 3);
  };
  says("\n[flaot]\nrate = 1\n",
       "FILE:2: flaot: unknown key: got \"flaot\"; expected a key of a recipe; try float");
  says("[float]\nrtae = 1\n",
       "FILE:2: float.rtae: unknown key: got \"rtae\"; expected a key of a recipe; try float.rate");
  says("batch = 12\n",
       "FILE:1: batch: unknown key: got \"batch\"; expected a key of a recipe; try data.batch");
  says("[float]\nrate = \"1\"\n", "FILE:2: float.rate: got \"1\"; expected a number above 0");
  says("[float]\nepochs = 1.0\n",
       "FILE:2: float.epochs: got 1.0; expected a whole number from 0 to 100000");
  says("[float]\noptimizer = \"sdg\"\n",
       "FILE:2: float.optimizer: got \"sdg\"; expected sgd, adam, adamw, rmsprop, adagrad or lion; "
       "try sgd");
  says("float = 3\n", "FILE:1: float: got 3; expected a section with keys, [float]");
  says("[[float]]\nrate = 1\n",
       "FILE:1: float: got [a table]; expected a section with keys, [float]");
  says("[quant.weight]\nlowest = 4\n",
       "FILE: quant.weight.start: got 3; expected a width from lowest = 4 to highest = 8");
  says("[quant.weight]\nbits_per_channel = true\n",
       "FILE:2: quant.weight.bits_per_channel: got true with per_channel = false; expected a range "
       "for each channel as well, per_channel = true");
  says("[quant.weight]\nbits = \"level-step\"\nper_channel = true\nbits_per_channel = true\n",
       "FILE:4: quant.weight.bits_per_channel: got true with bits = \"level-step\", which has one "
       "width for all channels; expected false, or another policy");
  says(
      "[quant.weight]\nper_channel = true\nbits_per_channel = true\n[round]\nlosses = "
      "\"measured\"\n",
      "FILE:5: round.losses: got \"measured\" with quant.weight.bits_per_channel = true, which has "
      "too many widths to try each; expected \"estimated\"");
  says("[round]\nallowed_levels = [3, 8]\n",
       "FILE:2: round.allowed_levels: got 8, a power of two, which whole bits are for; expected "
       "other counts; try round.allowed");
  says(
      "[quant.weight]\nper_channel = true\nbits_per_channel = true\n[round]\nallowed_levels = "
      "[3]\n",
      "FILE:5: round.allowed_levels: got some with quant.weight.bits_per_channel = true, whose "
      "channels are stored in whole bits; expected none for weights; try "
      "round.allowed_levels_activation");
  says("[round]\nallowed_levels_weight = [6, 10]\n",
       "FILE:2: round.allowed_levels_weight: got no count that these tensors can have; expected "
       "one from quant.weight.lowest = 2 to highest = 8, odd");
  says("[quant.weight]\naverage_bits = 6\n[round]\nallowed_weight = [2, 3]\n",
       "FILE:2: quant.weight.average_bits: got 6, more than any allowed width from "
       "quant.weight.lowest = 2 to highest = 8; expected at most 3; try another "
       "round.allowed_weight");
  says("[quant.budget]\nactivation_bits = 7\n[quant.activation]\ncap = true\n",
       "FILE:2: quant.budget.activation_bits: got 7, more than any allowed width from "
       "quant.activation.lowest = 2 to its cap = 4; expected at most 4; try another round.allowed");
  says("[quant.activation]\nper_channel = true\n",
       "FILE:2: quant.activation.per_channel: unknown key: got channels of an activation; expected "
       "one range and width for the tensor, since the next layer's integer sums go over its "
       "channels; try quant.weight.per_channel");
  says("[round]\nallowed = []\nallowed_levels = [6]\n",
       "FILE:2: round.allowed: got no width from quant.weight.lowest = 2 to highest = 8; expected "
       "at least one");
  says("[quant.weight]\nlowest = 1\n",
       "FILE:2: quant.weight.lowest: got 1, a width that round.allowed does not have; expected 2 "
       "or more, or a 1 there");
  says("[quant.weight]\naverage_bits = 3\nbytes = 100\n",
       "FILE:3: quant.weight.bytes: got a budget of bytes beside average_bits = 3; expected one of "
       "the two to be 0");
  says("[round]\nallowed = [2, 4, 4]\n",
       "FILE:2: round.allowed: got [2, 4, 4]; expected a rising list of widths from 1 "
       "to 8");
}

TEST_CASE("recipe: values out of range, and numbers that are none, are refused") {
  for (const char* text :
       {"seed = -1",
        "seed = 9223372036854775808",
        "seed = 1e3",
        "name = \"a/b\"",
        "name = \"\"",
        "name = \"-x\"",
        "[data]\nbatch = 0",
        "[data]\nbatch = 65537",
        "[float]\nepochs = -1",
        "[float]\nrate = 0",
        "[float]\nrate = nan",
        "[float]\nrate = inf",
        "[float]\nrate = -inf",
        "[float]\nmomentum = 1",
        "[float]\nwarmup = 1.5",
        "[float]\nclip = -1",
        "[float]\nnesterov = 1",
        "[float]\nnesterov = true\nmomentum = 0",
        "[quant.weight]\nstart = 1.9",
        "[quant.weight]\nstart = 8.1",
        "[quant.weight]\nlowest = 0",
        "[quant.activation]\nlowest = 1",
        "[quant.weight]\nlowest = 1\nbits = \"level\"",
        "[quant.weight]\nhighest = 9",
        "[quant.weight]\nlowest = 5\nhighest = 4",
        "[quant.weight]\nbits = \"fixed\"\nstart = 3.5",
        "[quant.weight]\naverage_bits = 1",
        "[quant.weight]\naverage_bits = 9",
        "[quant.weight]\naffine = true",
        "[quant.weight]\nnarrow_range = false\nlowest = 1",
        "[quant.weight]\nnarrow_range = false\nper_channel = true\nbits_per_channel = true",
        "[quant.activation]\nnarrow_range = false",
        "[search]\naverage = 0.9\n[quant.weight]\nbits = \"level-step\"",
        "[float]\naverage = 1",
        "[finetune]\nclip_value = -1",
        "[quant]\nsum_bits = 9",
        "[quant]\nsum_bits = 1",
        "[quant.activation]\nbytes = 100",
        "[quant.activation]\nper_channel = true",
        "[quant]\nweight_bits = 3",
        "[quant.weight_bits]\nconv1 = 9",
        "[quant.activation_bits]\nconv1 = 1",
        "[quant.weight_bits]\nconv1 = \"8\"",
        "[quant.weight_bits]\n\"a b\" = 8",
        "[quant.budget]\nweight_bits = 1.5",
        "[quant.budget]\nbytes = -1",
        "[quant.budget]\nbops = 1e6\n[quant]\nweight.bits = \"fixed\"\nactivation.bits = \"fixed\"",
        "[quant.budget]\nbytes = 20000\n[quant]\nweight.bits = \"fixed\"",
        "[quant.budget]\nbytes = 9\nactivation_bytes = 9\n[search]\nlambda = 0.1",
        "[search]\nmultiplier = \"lagrange\"",
        "[search]\npower = 0",
        "[round]\nallowed_weight = [3, 3]",
        "[round]\nallowed = []",
        "[round]\nallowed = [3, 2]",
        "[round]\nallowed = [2, \"3\"]",
        "[round]\nallowed = [2, [3]]",
        "[round]\nallowed = 2",
        "[round]\nallowed = [2]\n[quant.weight]\nlowest = 3",
        "[baselines]\nuniform = [8, 8]",
        "[search]\ntemperature_end = 2",
        "[search]\ntemperature_schedule = \"fast\"",
        "[search]\nentropy = -1",
        "[curriculum]\nwidths = []",
        "[curriculum]\nwidths = [8, \"4\"]",
        "[curriculum]\nwidths = [8, 1.5]\nshares = [0.5, 0.5]",
        "[curriculum]\nwidths = [4, 4]\nshares = [0.5, 0.5]",
        "[curriculum]\nwidths = [8, 4]",
        "[curriculum]\nwidths = [8, 4]\nshares = [0.5, 0.4]",
        "[curriculum]\nmode = \"plateau\"\npatience = 0.125",
        "[curriculum]\nwidths = [8, 4.5]\nshares = [0.5, 0.5]\n[quant.weight]\nbits = \"schedule\"",
        "[quant.weight]\nbits = \"schedule\"\nhighest = 3",
        "[quant.weight]\nbits = \"schedule\"\nlowest = 5\nstart = 5",
        "[quant.weight]\nbits = \"schedule\"\naverage_bits = 4",
        "[quant.weight]\nbits = \"schedule\"\ncap = true",
        "[quant.weight]\nbits = \"fixed\"\ncap = true",
        "[quant.weight]\nlowest = 5\nstart = 6\naverage_bits = 0\ncap = true",
        "[search]\nlambda = 0.1\n[quant]\nweight.average_bits = 3\nactivation.average_bits = 3",
        "seed = 1979-05-27",
        "seed = 1\nseed = 2",
        "seed = ",
        "= 3",
        "[float",
        "\"\\uD800\" = 1",
        "[float]\nrate = 1\n[float]\n"}) {
    CAPTURE(text);
    const Refusal r = refusal(text);
    CHECK(r.code == 3);
    CHECK(r.text.starts_with("[recipe] FILE"));
    CHECK(r.text.find('\n') == std::string::npos);
  }
}

TEST_CASE("recipe: files made to hurt a parser") {
  std::string dots = "a";
  for (int i = 0; i < 200000; ++i) dots += ".a";
  const std::string brackets(300000, '[');
  std::string nested = "x = ";
  for (int i = 0; i < 5000; ++i) nested += "[\n";
  for (const std::string& text :
       {dots + " = 1", "[" + dots + "]", "x = " + brackets, nested, std::string("seed\xff = 1"),
        std::string("# \xc0\xaf\n"), std::string("seed = 1\0", 9), std::string(2 << 20, '\n'),
        "x = \"" + std::string(5000, 'x') + "\""}) {
    const Refusal r = refusal(text);
    CHECK(r.code == 3);
    CHECK(r.text.size() < 600);
  }
  CHECK_THROWS_AS(load_recipe("/dev/zero.toml", {}), Error);
  CHECK_THROWS_AS(load_recipe("/", {}), Error);
}

TEST_CASE("recipe: a bad --set is a mistake of usage") {
  const auto says = [](const std::string& setting, const std::string& expected) {
    const Refusal r = refusal("", {setting});
    CHECK(r.text == "[recipe] --set " + expected);
    CHECK(r.code == 2);
  };
  says("float.rat=1",
       "float.rat: unknown key: got \"rat\"; expected a key of a recipe; try float.rate");
  says("float.rate=abc", "float.rate: got \"abc\"; expected a number above 0");
  says("float.rate=1\nseed = 2", "float.rate: got \"1\\x0aseed = 2\"; expected a number above 0");
  says("seed", "has no key and value: got \"seed\"; expected key=value");
  says("float=1", "float: got 1; expected a section with keys, [float]");
  says("float={rate=0}", "float.rate: got 0; expected a number above 0");
  says("name=", "name: got \"\"; expected a name of letters, digits, '.', '_' and '-'");
  says(
      "model=lenet6",
      "model: got \"lenet6\"; expected mlp, lenet5, lenet5-bn, cnn-32-64, tiny-resnet, resnet20, "
      "resnet32, resnet44, resnet56, resnet20-b, resnet32-b, resnet44-b or resnet56-b; try lenet5");
  says("quant.weight.start=9", "quant.weight.start: got 9; expected a number from 1 to 8");
  says("quant.weight.lowest=5",
       "quant.weight.start: got 3; expected a width from lowest = 5 to highest = 8");
}

}  // namespace fraqat::recipe_refusals_test
