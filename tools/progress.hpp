#pragma once

#include <chrono>
#include <string>

#include "models/run/run.hpp"

namespace fraqat::tools {

/// How a run goes on, on stderr.  A terminal sees one line that changes (rate,
/// time to go) below the finished epochs; a file gets the finished epochs only.
class Progress final : public run::Observer {
 public:
  /// `batch`: samples of a step, for the rate.
  Progress(bool quiet, Index batch);
  ~Progress() override;

  void phase(std::string_view name, Index steps) override;
  void step(Index done, double loss) override;
  void metrics(const nlohmann::ordered_json& line) override;
  void note(std::string_view text) override;
  bool stopping() override;

 private:
  using Clock = std::chrono::steady_clock;

  void draw(Index done, double loss);
  void print(const std::string& line);
  void clear();

  bool quiet_, terminal_, drawn_ = false;
  Index batch_;
  std::string phase_;
  Index steps_ = 0, before_ = -1;  // steps of the phase, and those of an earlier process
  Clock::time_point start_, last_;
};

}  // namespace fraqat::tools
