#include "models/run/sweep_run.hpp"

#include <doctest/doctest.h>

#include "core/error.hpp"
#include "core/file.hpp"
#include "models/run/session.hpp"
#include "models/run/sweep_page.hpp"
#include "models/run/sweep_plan.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::sweep_run_test {

using namespace fraqat::run;
namespace fs = std::filesystem;
using nlohmann::ordered_json;
using test::TemporaryDirectory;

namespace {

constexpr const char* tiny = R"(
name = "tiny"
recipe = "lenet5-fashion"
seeds = [1, 2]
[set]
model = "mlp"
data = { name = "synthetic", batch = 32, train_limit = 96, test_limit = 50 }
quant.calibration_batches = 1
float.epochs = 1
search.epochs = 1
finetune = { epochs = 1, reestimate_batches = 1 }
baselines.uniform = []
[[grid]]
name = "uniform {bits}"
[grid.set]
quant.weight = { bits = "fixed", average_bits = 0 }
quant.activation = { bits = "fixed", average_bits = 0 }
[grid.over]
bits = { keys = ["quant.weight.start", "quant.activation.start"], values = [3, 2] }
[[row]]
name = "learned"
)";

/// Stops in step `stop_at`, counted over all runs.
class Cut final : public SweepObserver {
 public:
  explicit Cut(int stop_at) : stop_at_(stop_at) {}
  void step(Index, double) override { ++steps; }
  bool stopping() override { return steps >= stop_at_; }
  int steps = 0;

 private:
  int stop_at_;
};

Sweep sweep_of(const std::vector<std::string>& overrides = {}) {
  return parse_sweep(tiny, "FILE", overrides);
}

SweepOptions options_in(const std::string& folder) {
  SweepOptions options;
  options.out = folder;
  options.command = "fraqat sweep tiny";
  return options;
}

/// sweep.json without times.
std::string without_times(const std::string& folder) {
  auto json = ordered_json::parse(read_text_file(folder + "/sweep.json", 1 << 20));
  for (ordered_json& row : json["rows"]) row.erase("seconds");
  return json.dump();
}

std::string refusal(const Sweep& sweep, const SweepOptions& options,
                    Error::Kind kind = Error::Kind::usage) {
  SweepObserver silent;
  try {
    run_sweep(sweep, options, silent);
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
  return "no error";
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("sweep: cut again and again it ends as one that is not") {
  const TemporaryDirectory whole, cut;
  const Sweep sweep = sweep_of();
  SweepOptions uncut = options_in(whole.path()), again = options_in(cut.path());
  uncut.seeds = again.seeds = {4};
  Cut never(1 << 30);
  const Summary summary = run_sweep(sweep, uncut, never);
  CHECK(summary.finished == 3);
  CHECK(summary.runs == 3);
  CHECK(summary.rows.size() == 4);  // float and three
  CHECK(summary.failures.empty());
  int cuts = 0;
  for (bool done = false; !done;) {
    Cut observer(never.steps / 4);
    try {
      run_sweep(sweep, again, observer);
      done = true;
    } catch (const Stopped&) {
      ++cuts;
      REQUIRE(cuts < 50);
    }
  }
  CHECK(cuts > 1);
  CHECK(without_times(cut.path()) == without_times(whole.path()));
  // What has ended is read, not done again.
  Cut at_once(1);
  run_sweep(sweep, again, at_once);
  CHECK(at_once.steps == 0);
}

TEST_CASE("sweep: each run is the run of its recipe, from the float network of its seed") {
  const TemporaryDirectory folder, alone;
  Sweep sweep = sweep_of();
  SweepOptions options = options_in(folder.path());
  options.rows = "learned";
  options.seeds = {2};
  SweepObserver silent;
  const Summary summary = run_sweep(sweep, options, silent);
  CHECK(summary.finished == 1);
  CHECK(summary.runs == 3);
  Recipe recipe = sweep.rows[2].recipe;
  recipe.seed = 2;
  Options one;
  one.out = alone.path();
  const ordered_json result = run::run(recipe, one, silent);
  CHECK(summary.rows.back().samples.at(0).hash == result["hash"]);
  CHECK_FALSE(result.contains("from"));
  const auto there = finished_run(fs::path(folder.path()) / "learned/seed-2");
  CHECK(there["arms"] == result["arms"]);
  CHECK(there["from"].get<std::string>().size() == 64);
}

TEST_CASE("sweep: a row that names no layer is refused before anything is trained") {
  const TemporaryDirectory folder;
  const Sweep sweep = sweep_of({"quant.activation_bits.pool9=4"});
  const std::string text = refusal(sweep, options_in(folder.path()));
  CHECK(text.starts_with("[sweep] row \"uniform 3\": [attach] a width is given for a layer"));
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("sweep: a row that its network cannot follow is refused before anything is trained") {
  const TemporaryDirectory folder;
  const Sweep sweep = sweep_of({"quant.weight_bits.fc1=8"});
  const std::string text = refusal(sweep, options_in(folder.path()));
  INFO(text);
  CHECK(text.starts_with("[sweep] row \"learned"));
  CHECK(has(text, "[round] the budget for weight is below the least there is: got 2.5 "));
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("sweep: weights that are not there end it before anything is trained") {
  const TemporaryDirectory folder;
  SweepOptions options = options_in(folder.path());
  options.weights = folder / "none.safetensors";
  const std::string text = refusal(sweep_of(), options, Error::Kind::input);
  INFO(text);
  CHECK(text.starts_with("[sweep] row \""));
  CHECK(has(text, "none.safetensors"));
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("sweep: a folder of something else is refused, not mixed") {
  const TemporaryDirectory folder;
  SweepOptions options = options_in(folder.path());
  options.seeds = {1};
  options.rows = "learned";
  Cut early(2);  // in the float run
  CHECK_THROWS_AS(run_sweep(sweep_of(), options, early), Stopped);
  const std::string unfinished = refusal(sweep_of({"float.rate=0.01", "float.epochs=1"}), options);
  CHECK(unfinished == "no error");  // another float network has another folder
  const std::string text = refusal(sweep_of({"search.epochs=2"}), options);
  INFO(text);
  CHECK(has(text, "holds the run of another recipe: "));
  CHECK(has(text, "; try another --out, or remove the folder first"));
  SweepOptions none = options;
  none.rows = "lerned";
  CHECK(has(refusal(sweep_of(), none), "no such row: got \"lerned\""));
}

TEST_CASE("sweep: another float network than that of the finished rows is refused") {
  const TemporaryDirectory folder, other;
  SweepOptions options = options_in(folder.path());
  options.seeds = {1};
  options.rows = "learned";
  SweepObserver silent;
  run_sweep(sweep_of(), options, silent);
  const Recipe recipe = sweep_of().rows[0].recipe;
  const auto start =
      fs::path(folder.path()) / float_job(recipe).folder / "checkpoints/float.safetensors";
  CHECK(run_sweep(sweep_of(), options, silent).finished == 1);
  SweepOptions with = options;
  with.weights = start;  // the same file by another way is the same start
  CHECK(run_sweep(sweep_of(), with, silent).finished == 1);
  Options seed_two;
  seed_two.out = other.path();
  Recipe two = float_job(recipe).recipe;
  two.seed = 2;
  run::run(two, seed_two, silent);
  with.weights = other / "checkpoints/float.safetensors";
  CHECK(has(refusal(sweep_of(), with), "started from another float network"));
}

TEST_CASE("sweep: a run that fails leaves the others alone") {
  const TemporaryDirectory folder;
  SweepOptions options = options_in(folder.path());
  options.seeds = {1};
  SweepObserver silent;
  // A file where the folder of a run has to be.
  write_file_atomically(folder / "uniform-2", std::string_view("in the way"));
  const Summary summary = run_sweep(sweep_of(), options, silent);
  CHECK(summary.finished == 2);
  REQUIRE(summary.failures.size() == 1);
  CHECK(summary.failures[0]["row"] == "uniform 2");
  CHECK(has(read_text_file(folder / "sweep.html", 1 << 20), "uniform 2, seed 1"));
}

TEST_CASE("sweep: a run in use is finished by who has it, and read in the end") {
  const TemporaryDirectory folder;
  SweepOptions options = options_in(folder.path());
  options.seeds = {1};
  const fs::path of_row = fs::path(folder.path()) / jobs_of(sweep_of(), {1})[0].folder;
  /// Holds the first row's folder, and lets it go with a finished run when the last row begins.
  class Holder final : public SweepObserver {
   public:
    Holder(fs::path folder, SweepOptions options)
        : folder_(std::move(folder)), options_(std::move(options)) {
      make_directories((folder_ / "checkpoints").string());
      lock_ = std::make_unique<DirectoryLock>(folder_.string());
    }
    void begins(const SweepStage& stage) override {
      if (stage.title.find("learned") == stage.title.npos) return;
      lock_.reset();
      SweepObserver silent;
      options_.rows = "uniform 3";
      run_sweep(sweep_of(), options_, silent);
    }
    void note(std::string_view text) override { notes += text; }
    std::string notes;

   private:
    fs::path folder_;
    SweepOptions options_;
    std::unique_ptr<DirectoryLock> lock_;
  } holder(of_row, options);
  const Summary summary = run_sweep(sweep_of(), options, holder);
  CHECK(has(holder.notes, "is in use"));
  CHECK(summary.finished == 3);
  CHECK(summary.failures.empty());
}

TEST_CASE("sweep: a float network in use is waited for, until it is there or a signal comes") {
  const TemporaryDirectory folder;
  SweepOptions options = options_in(folder.path());
  options.seeds = {1};
  const fs::path of_float = fs::path(folder.path()) / float_job(sweep_of().rows[0].recipe).folder;
  make_directories(of_float.string());
  auto lock = std::make_unique<DirectoryLock>(of_float.string());
  /// Wants to stop once it waits, or lets the lock go then.
  class Waiting final : public SweepObserver {
   public:
    explicit Waiting(std::unique_ptr<DirectoryLock>* lock) : lock_(lock) {}
    void note(std::string_view text) override { notes += text; }
    bool stopping() override {
      if (!lock_) return has(notes, "waiting for");
      lock_->reset();
      return false;
    }
    std::string notes;

   private:
    std::unique_ptr<DirectoryLock>* lock_;
  };
  Waiting stopped(nullptr), patient(&lock);
  CHECK_THROWS_AS(run_sweep(sweep_of(), options, stopped), Stopped);
  CHECK(lock);
  const Summary summary = run_sweep(sweep_of(), options, patient);
  CHECK(has(patient.notes, "waiting for " + of_float.string()));
  CHECK(summary.finished == 3);
  CHECK(summary.failures.empty());
}

TEST_CASE("sweep: rows without a float network to start from are failures, not left out") {
  const TemporaryDirectory folder;
  SweepOptions options = options_in(folder.path());
  options.seeds = {1};
  options.rows = "learned";
  SweepObserver silent;
  run_sweep(sweep_of(), options, silent);
  const auto start = fs::path(folder.path()) / float_job(sweep_of().rows[0].recipe).folder /
                     "checkpoints/float.safetensors";
  REQUIRE(fs::remove(start));
  options.rows = "*";
  const Summary summary = run_sweep(sweep_of(), options, silent);
  CHECK(summary.finished == 1);
  REQUIRE(summary.failures.size() == 2);
  CHECK(has(summary.failures[0]["error"].get<std::string>(), "no float network to start from"));
}

}  // namespace fraqat::sweep_run_test
