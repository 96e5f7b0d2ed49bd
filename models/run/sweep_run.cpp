#include "models/run/sweep_run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <span>
#include <thread>

#include "core/file.hpp"
#include "core/text.hpp"
#include "models/run/float_start.hpp"
#include "models/run/report.hpp"
#include "models/run/session.hpp"
#include "models/run/sweep_page.hpp"
#include "models/run/sweep_plan.hpp"

namespace fraqat::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Mean time of the runs that have ended.
class Pace {
 public:
  void take(const ordered_json& result) {
    const double seconds = result.value("seconds", 0.0);
    sum_ += seconds;
    ++count_;
  }
  double of(std::size_t runs) const {
    return count_ ? sum_ / count_ * static_cast<double>(runs)
                  : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  double sum_ = 0;
  int count_ = 0;
};

/// A sweep under way.
class Runner {
 public:
  Runner(const Sweep& sweep, const SweepOptions& options, SweepObserver& observer)
      : sweep_(sweep),
        options_(options),
        observer_(observer),
        jobs_(jobs_of(sweep, options.seeds)),
        weights_(options.weights.empty() ? fs::path(sweep.weights) : options.weights) {
    check_named(sweep, options.rows);
  }

  /// Reads what there is; counts what is to do.
  void look() {
    for (const SweepJob& job : jobs_) {
      const JobState state = state_of(options_.out / job.folder, job.recipe);
      if (state == JobState::finished) note(job, finished_run(options_.out / job.folder));
      if (state != JobState::finished && is_named(*job.row, options_.rows)) to_do_.push_back(job);
    }
  }

  void work() {
    check_weights();
    std::vector<SweepJob> all = with_floats();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const SweepJob& job = all[i];
      observer_.begins(
          {job.title(), i + 1, all.size(), pace_.of(all.size() - i), job.recipe.batch});
      if (!job.row) wait_for(job.folder);
      carry_out(job);
    }
    look_again();
  }

  Summary summary() const {
    Summary summary{sweep_.name,  sweep_.recipe, options_.command,
                    jobs_.size(), runs_.size(),  summarise(sweep_, in_order()),
                    failures_};
    return summary;
  }

 private:
  /// Given weights must fit every network that is to start from them.
  void check_weights() const {
    std::set<std::pair<std::string, std::string>> seen;
    for (const SweepJob& job : to_do_) {
      if (weights_.empty() || !job.recipe.quantize) continue;
      if (!seen.emplace(job.recipe.model, job.recipe.data).second) continue;
      try {
        read_float_model(job.recipe, weights_);
      } catch (const Error& error) {
        fail(error.kind(), "[sweep] row ", in_quotes(job.row->name), ": ", error.what());
      }
    }
  }

  /// What is to do, each float network that is missing before the first who needs it.
  std::vector<SweepJob> with_floats() const {
    std::vector<SweepJob> all;
    std::vector<fs::path> seen;
    for (const SweepJob& job : to_do_) {
      const SweepJob start = float_job(job.recipe);
      const bool needed = job.recipe.quantize && weights_.empty();
      if (needed && std::find(seen.begin(), seen.end(), start.folder) == seen.end()) {
        seen.push_back(start.folder);
        if (state_of(options_.out / start.folder, start.recipe) != JobState::finished)
          all.push_back(start);
      }
      all.push_back(job);
    }
    return all;
  }

  /// The file that a row's run starts from; empty: it trains.
  fs::path start_of(const SweepJob& job) const {
    if (!job.row || !job.recipe.quantize) return {};
    if (!weights_.empty()) return weights_;
    return options_.out / float_job(job.recipe).folder / "checkpoints/float.safetensors";
  }

  void check_start_exists(const fs::path& start) const {
    check(start.empty() || fs::exists(start), "[sweep] no float network to start from: got no ",
          in_quotes(start.string()),
          "; expected what the float run leaves; try the same command again, without the folder of "
          "that run if it is finished");
  }

  /// Of a run that is finished, goes on or begins.
  ordered_json result_of(const SweepJob& job, const fs::path& folder) {
    const JobState state = state_of(folder, job.recipe);
    if (state == JobState::finished) return finished_run(folder);
    Options options{
        folder, {}, options_.data_dir, options_.arguments, state == JobState::unfinished, false};
    if (state == JobState::missing) {
      options.from = start_of(job);
      check_start_exists(options.from);
    }
    try {
      return run(job.recipe, options, observer_);
    } catch (const Error&) {
      // Another process may have finished it since it was looked at.
      if (state_of(folder, job.recipe) != JobState::finished) throw;
      return finished_run(folder);
    }
  }

  /// No row begins without its float network: one that another process trains is waited for.
  void wait_for(const fs::path& part) const {
    const fs::path folder = options_.out / part;
    if (!DirectoryLock::is_held(folder.string())) return;
    observer_.note("[sweep] waiting for " + folder.string() + ", which another process trains");
    while (DirectoryLock::is_held(folder.string())) {
      if (observer_.stopping()) throw Stopped{};
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  /// For what other processes, which were in the way, have finished meanwhile.
  void look_again() {
    for (const SweepJob& job : to_do_) {
      const bool known = std::any_of(runs_.begin(), runs_.end(), [&](const SweepRun& run) {
        return run.row == job.row && run.seed == job.recipe.seed;
      });
      if (known || state_of(options_.out / job.folder, job.recipe) != JobState::finished) continue;
      const auto of_job = [&](const ordered_json& failure) {
        return failure["row"] == job.row->name && failure["seed"] == job.recipe.seed;
      };
      failures_.erase(std::remove_if(failures_.begin(), failures_.end(), of_job), failures_.end());
      carry_out(job);
    }
  }

  /// Runs `job`; one that fails is noted, one with a bad file or key ends the sweep.
  void carry_out(const SweepJob& job) {
    const fs::path folder = options_.out / job.folder;
    try {
      const ordered_json result = result_of(job, folder);
      write_file_atomically((folder / "report.html").string(), report_html(std::span(&folder, 1)));
      note(job, result);
    } catch (const Error& error) {
      if (error.kind() != Error::Kind::failed) throw;
      failures_.push_back({{"row", job.row ? job.row->name : "float"},
                           {"seed", job.recipe.seed},
                           {"error", error.what()}});
      observer_.note(std::string(error.what()));
    }
    const Summary now = summary();
    write_sweep(now, options_.out);
    observer_.ended(now);
  }

  void note(const SweepJob& job, ordered_json result) {
    if (!job.row) return;
    check_start(job, result);
    pace_.take(result);
    runs_.push_back({job.row, job.recipe.seed, std::move(result)});
  }

  /// A run of an earlier call started from the network that the next ones will start from.
  void check_start(const SweepJob& job, const ordered_json& result) const {
    const fs::path start = start_of(job);
    const std::string then = result.value("from", "");
    if (start.empty() || !fs::exists(start)) return;
    const std::string now = hash_of(start);
    check_usage(then == now, "[sweep] ", (options_.out / job.folder).string(),
                " started from another float network: got SHA-256 ", in_quotes(then.substr(0, 8)),
                "; expected ", now.substr(0, 8), ", that of ", start.string(),
                "; try another --out, or remove the folder first");
  }

  std::string hash_of(const fs::path& file) const {
    for (const auto& [known, hash] : hashes_)
      if (known == file) return hash;
    return hashes_.emplace_back(file, start_hash(file)).second;
  }

  /// The finished runs in the order of the sweep.
  std::vector<SweepRun> in_order() const {
    std::vector<SweepRun> runs = runs_;
    std::stable_sort(runs.begin(), runs.end(), [](const SweepRun& a, const SweepRun& b) {
      return std::pair(a.row, a.seed) < std::pair(b.row, b.seed);
    });
    return runs;
  }

  const Sweep& sweep_;
  const SweepOptions& options_;
  SweepObserver& observer_;
  std::vector<SweepJob> jobs_, to_do_;
  fs::path weights_;
  std::vector<SweepRun> runs_;
  Pace pace_;
  ordered_json failures_ = ordered_json::array();
  mutable std::vector<std::pair<fs::path, std::string>> hashes_;
};

}  // namespace

Summary run_sweep(const Sweep& sweep, const SweepOptions& options, SweepObserver& observer) {
  make_directories(options.out.string());
  Runner runner(sweep, options, observer);
  runner.look();
  runner.work();
  const Summary summary = runner.summary();
  write_sweep(summary, options.out);
  return summary;
}

Summary read_sweep(const Sweep& sweep, const SweepOptions& options) {
  SweepObserver silent;
  Runner runner(sweep, options, silent);
  runner.look();
  return runner.summary();
}

}  // namespace fraqat::run
