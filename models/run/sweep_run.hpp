#pragma once

#include "models/run/run.hpp"
#include "models/run/sweep_summary.hpp"

namespace fraqat::run {

/// One of the runs of a sweep, as it begins.
struct SweepStage {
  std::string title;
  std::size_t number = 0, of = 0;  // of the runs to do
  double seconds_to_go = 0;        // of the whole sweep, as the finished runs were; NaN: unknown
  int batch = 0;
};

/// Is told how a sweep goes on.
class SweepObserver : public Observer {
 public:
  virtual void begins(const SweepStage&) {}
  virtual void ended(const Summary&) {}
};

struct SweepOptions {
  std::filesystem::path out;      // folder of all, made if missing
  std::filesystem::path weights;  // float network for every row instead of the sweep's own
  std::filesystem::path data_dir;
  std::vector<std::string> arguments;  // for each run.json
  std::string command;                 // repeats the sweep; for the tables
  std::string rows;                    // only rows of these names: "learned*"
  std::vector<std::uint64_t> seeds;    // instead of those in the file
};

/// Does what is missing of a sweep: runs that have ended are read, those that were cut go
/// on.  After each run sweep.json, table.md, front.svg and sweep.html say what there is.
/// A run that fails is noted in the summary, and the others go on.  Throws Stopped.
Summary run_sweep(const Sweep& sweep, const SweepOptions& options, SweepObserver& observer);

/// What has ended so far; writes nothing.
Summary read_sweep(const Sweep& sweep, const SweepOptions& options);

}  // namespace fraqat::run
