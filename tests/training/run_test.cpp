#include "models/run/run.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "core/file.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/deployment.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::run_test {

// The whole way of a recipe, and the folder it leaves.

using nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

run::Recipe whole_recipe() {
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  recipe.weight.average_bits = recipe.activation.average_bits = 3;
  recipe.finetune.epochs = 2;
  recipe.uniform = {4};
  recipe.uniform_ends8 = {2};
  recipe.random = 2;
  return recipe;
}

/// One run for all cases that only look at what it left.
struct Finished {
  test::TemporaryDirectory folder;
  run::Recipe recipe = whole_recipe();
  ordered_json result;

  Finished() {
    run::Observer silent;
    result = run::run(recipe, {out(), {}, {}, {"train", "--recipe", "tiny"}}, silent);
  }
  fs::path out() const { return fs::path(folder.path()) / "run"; }
  std::string text(const std::string& name) const {
    return read_text_file((out() / name).string(), 1 << 24);
  }
  fs::path checkpoint(const std::string& phase) const {
    return out() / "checkpoints" / (phase + ".safetensors");
  }
};

const Finished& finished() {
  static const Finished once;
  return once;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

const ordered_json& arm(const ordered_json& result, const std::string& name) {
  for (const ordered_json& one : result["arms"])
    if (one["name"] == name) return one;
  FAIL("no arm ", name);
  return result;
}

double accuracy_of(const fs::path& checkpoint) {
  const run::Loaded loaded = run::load_checkpoint(checkpoint);
  const auto test = data::open(loaded.recipe.data, data::Split::test, {}, loaded.recipe.test_limit);
  return run::evaluate(*loaded.model, loaded.recipe, test).accuracy;
}

std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("run: the folder holds what it should, and nothing else") {
  CHECK(files_of(finished().out()) ==
        std::vector<std::string>{
            "checkpoints/final.safetensors", "checkpoints/float.safetensors",
            "checkpoints/random-1.safetensors", "checkpoints/random-2.safetensors",
            "checkpoints/rounded.safetensors", "checkpoints/search.safetensors",
            "checkpoints/uniform-2-ends8.safetensors", "checkpoints/uniform-4.safetensors",
            "metrics.csv", "metrics.jsonl", "model.fraqat", "recipe.toml", "run.json"});
  CHECK(run::load_recipe((finished().out() / "recipe.toml").string(), {}) == finished().recipe);
}

TEST_CASE("run: run.json has the documented keys, and they agree with each other") {
  const ordered_json json = ordered_json::parse(finished().text("run.json"));
  CHECK(json == finished().result);
  for (const char* key : {"recipe",
                          "arguments",
                          "date",
                          "version",
                          "cpu",
                          "isa",
                          "blas",
                          "threads",
                          "seed",
                          "data",
                          "seconds",
                          "peak_bytes",
                          "samples_per_second",
                          "arms",
                          "tensors",
                          "accuracy",
                          "loss",
                          "avg_weight_bits",
                          "avg_activation_bits",
                          "model_bytes",
                          "data_bytes",
                          "header_bytes",
                          "mismatches",
                          "budget",
                          "hash"})
    CHECK_MESSAGE(json.contains(key), std::string(key));
  CHECK(json["mismatches"] == 0);
  CHECK(json["verified"] == true);
  CHECK(json["arguments"] == std::vector<std::string>{"train", "--recipe", "tiny"});
  CHECK(json["data"]["name"] == "synthetic");
  CHECK(std::regex_match(json["date"].get<std::string>(),
                         std::regex(R"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ)")));
  for (const char* side : {"weight", "activation"})
    CHECK(json["budget"][side]["reached"] <= json["budget"][side]["target"]);
}

TEST_CASE("run: each arm has the hash of what it saved, the run that of the learned one") {
  std::set<std::string> hashes;
  for (const ordered_json& arm : finished().result["arms"]) {
    const std::string name = arm["name"];
    CAPTURE(name);
    CHECK(arm["hash"] ==
          run::result_hash(finished().checkpoint(name == "learned" ? "final" : name)));
    hashes.insert(arm["hash"]);
  }
  CHECK(hashes.size() == finished().result["arms"].size());
  CHECK(finished().result["hash"] == finished().result["arms"].back()["hash"]);
}

TEST_CASE("run: float, uniform, random and learned arms, in this order, and what they cost") {
  const ordered_json& json = finished().result;
  std::vector<std::string> names;
  for (const ordered_json& one : json["arms"]) names.push_back(one["name"]);
  CHECK(names == std::vector<std::string>{"float", "uniform-4", "uniform-2-ends8", "random-1",
                                          "random-2", "learned"});
  for (const char* name : {"random-1", "random-2"})
    for (const char* key : {"avg_weight_bits", "avg_activation_bits"}) {
      const double random = arm(json, name)[key], learned = arm(json, "learned")[key];
      CHECK(random <= learned);
      CHECK(random >= 0.99 * learned);
    }
  CHECK(arm(json, "learned")["accuracy"] == json["accuracy"]);
  CHECK(arm(json, "learned")["bytes"] == json["data_bytes"]);
  CHECK(arm(json, "uniform-4")["avg_weight_bits"] == 4.0);
  CHECK(arm(json, "uniform-4")["avg_activation_bits"] == 4.0);
  CHECK(arm(json, "uniform-2-ends8")["avg_activation_bits"] == 2.0);
  const double ends8 = arm(json, "uniform-2-ends8")["avg_weight_bits"];
  CHECK(ends8 == doctest::Approx(2 + 6.0 * (150 + 840) / (150 + 2400 + 48000 + 10080 + 840)));
}

TEST_CASE("run: bytes are those of the tensors") {
  const ordered_json& json = finished().result;
  Index codes = 0, elements = 0, rows = 0;
  double bits = 0;
  for (const ordered_json& tensor : json["tensors"])
    if (tensor["role"] == "weight") {
      const Index n = tensor["elements"], width = tensor["bits"];
      CHECK(tensor["bytes"] == (n * width + 7) / 8);
      codes += (n * width + 7) / 8;
      elements += n;
      bits += static_cast<double>(n * width);
      rows += 1;
    }
  CHECK(rows == 5);
  CHECK(elements == 150 + 2400 + 48000 + 10080 + 840);
  CHECK(json["avg_weight_bits"].get<double>() ==
        doctest::Approx(bits / static_cast<double>(elements)));
  const Index channels = 6 + 16 + 120 + 84 + 10;
  CHECK(json["data_bytes"] == codes + 8 * channels + 4 * rows);
  const std::string path = (finished().out() / "model.fraqat").string();
  const deploy::Packed packed = deploy::read_packed(path);
  CHECK(fs::file_size(path) == json["model_bytes"]);
  CHECK(packed.file_bytes == json["model_bytes"]);
  CHECK(json["model_bytes"].get<Index>() ==
        json["data_bytes"].get<Index>() + json["header_bytes"].get<Index>());
  CHECK(packed.info.model == "lenet5-bn");
  CHECK(packed.info.classes.size() == 10);
  // Weights, biases of fc3, and four numbers for each channel of a batch norm.
  CHECK(arm(json, "float")["bytes"] == 4 * (elements + 10 + 4 * (6 + 16 + 120 + 84)));
}

TEST_CASE("run: a line of metrics for each epoch, in both files") {
  const std::vector<std::string> lines = lines_of(finished().text("metrics.jsonl"));
  const std::vector<std::string> rows = lines_of(finished().text("metrics.csv"));
  REQUIRE(lines.size() == 1 + 4 * 3 + 1 + 2);  // float, four baselines, search, fine-tuning
  REQUIRE(rows.size() == lines.size() + 1);
  CHECK(rows[0] ==
        "phase,epoch,step,seconds,rate,loss,accuracy,avg_weight_bits,avg_activation_bits,"
        "price_weight,price_activation");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const ordered_json line = ordered_json::parse(lines[i]);
    const std::string phase = line["phase"];
    CHECK(rows[i + 1].starts_with(phase + "," + line["epoch"].dump() + "," + line["step"].dump()));
    CHECK(std::count(rows[i + 1].begin(), rows[i + 1].end(), ',') == 10);
    CHECK(line["step"].get<int>() == 10 * line["epoch"].get<int>());
    CHECK(line["loss"].is_number_float());
    CHECK(line.contains("bits") == (phase != "float"));
    CHECK(line.contains("price_weight") == (phase == "search"));
    if (phase != "float") CHECK(line["bits"].size() == 10);  // input, 5 weights, 4 activations
  }
}

TEST_CASE("run: checkpoints load and are as good as the run says") {
  const ordered_json& json = finished().result;
  for (const auto& [phase, name] :
       {std::pair("float", "float"), std::pair("uniform-4", "uniform-4"),
        std::pair("uniform-2-ends8", "uniform-2-ends8"), std::pair("final", "learned")}) {
    const run::Loaded loaded = run::load_checkpoint(finished().checkpoint(phase));
    CHECK(loaded.phase == phase);
    CHECK(loaded.quantized == (loaded.phase != "float"));
    CHECK(accuracy_of(finished().checkpoint(phase)) == arm(json, name)["accuracy"]);
  }
  run::Loaded loaded = run::load_checkpoint(finished().checkpoint("final"));
  CHECK(loaded.recipe == finished().recipe);
  CHECK(deploy::graph_differences(
            deploy::read_packed((finished().out() / "model.fraqat").string()).graph,
            run::lower(*loaded.model, loaded.recipe))
            .empty());
  CHECK(accuracy_of(finished().checkpoint("search")) > 0);
  CHECK(accuracy_of(finished().checkpoint("rounded")) > 0);
}

TEST_CASE("run: the hash is that of tensors and widths, whatever keys a recipe has") {
  const test::TemporaryDirectory folder;
  const fs::path again = folder / "again.safetensors";
  run::Loaded loaded = run::load_checkpoint(finished().checkpoint("final"));
  loaded.recipe.seed += 1;
  run::save_checkpoint(again, *loaded.model, loaded.recipe, "final");
  CHECK(run::result_hash(again) == finished().result["hash"]);
  CHECK(run::result_hash(finished().checkpoint("rounded")) != finished().result["hash"]);

  nn::NamedTensors state = nn::state_of(*loaded.model);
  state.begin()->second.data()[0] += Real(1);
  nn::apply_state(*loaded.model, state, "test");
  run::save_checkpoint(again, *loaded.model, loaded.recipe, "final");
  CHECK(run::result_hash(again) != finished().result["hash"]);
}

TEST_CASE("run: a run.json that fraqat has not written is a bad file") {
  const test::TemporaryDirectory folder;
  for (const char* text : {"7", "[]", "{", R"({"verified": "yes"})", R"({"seconds": "long"})"}) {
    CAPTURE(std::string(text));
    write_file_atomically(folder / "run.json", text);
    CHECK_THROWS_WITH_AS(run::finished_run(folder.path()), doctest::Contains("is damaged"), Error);
  }
}

TEST_CASE("run: a finished run is not overwritten") {
  run::Observer silent;
  CHECK_THROWS_WITH_AS(
      run::run(finished().recipe, {finished().out(), {}, {}, {}}, silent),
      doctest::Contains("holds a finished run: got run.json; expected a new folder"), Error);
  CHECK(ordered_json::parse(finished().text("run.json")) == finished().result);
}

TEST_CASE("run: --from takes the float network of another run") {
  const test::TemporaryDirectory folder;
  run::Recipe recipe = finished().recipe;
  run::Options options{folder.path(), finished().checkpoint("float"), {}, {}};
  run::Observer silent;
  const ordered_json result = run::run(recipe, options, silent);
  CHECK(arm(result, "float") == arm(finished().result, "float"));
  // The random streams belong to the epochs, so the rest is the same, too.
  CHECK(result["hash"] == finished().result["hash"]);
  CHECK(read_text_file(folder / "metrics.jsonl", 1 << 24).find("\"float\"") == std::string::npos);

  recipe.model = "mlp";
  options.out = folder / "second";
  CHECK_THROWS_WITH_AS(run::run(recipe, options, silent), doctest::Contains("is another network"),
                       Error);
  CHECK_FALSE(fs::exists(folder / "second"));
  options.from = finished().checkpoint("final");
  options.out = folder / "third";
  CHECK_THROWS_WITH_AS(run::run(recipe, options, silent),
                       doctest::Contains("is no start: got a quantized network"), Error);
}

}  // namespace fraqat::run_test
