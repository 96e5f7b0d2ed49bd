#include "tools/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "tools/signals.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

constexpr std::size_t phase_width = 12;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

/// "  loss 0.4123" if `line` has that number.
std::string field(const nlohmann::ordered_json& line, const char* key, const std::string& label,
                  int digits, const std::string& unit = "") {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number()) return {};
  return "  " + label + " " + fixed(found->get<double>(), digits) + unit;
}

}  // namespace

Progress::Progress(bool quiet, Index batch)
    : quiet_(quiet),
      terminal_(!quiet && is_terminal(STDERR_FILENO)),
      batch_(batch),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
  drawn_ = false;
}

void Progress::print(const std::string& line) {
  if (quiet_) return;
  clear();
  std::cerr << line << '\n';
}

void Progress::phase(std::string_view name, Index steps) {
  phase_ = name;
  steps_ = steps;
  before_ = -1;
  start_ = Clock::now();
  last_ = {};
}

void Progress::step(Index done, double loss) {
  constexpr auto pause = std::chrono::milliseconds(100);
  if (!terminal_) return;
  if (before_ < 0) before_ = done - 1;
  const auto now = Clock::now();
  if (now - last_ < pause && done != steps_) return;
  last_ = now;
  draw(done, loss);
}

void Progress::draw(Index done, double loss) {
  constexpr std::size_t width = 20;
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - before_) / seconds : 0;
  const double part = steps_ > 0 ? static_cast<double>(done) / static_cast<double>(steps_) : 0;
  std::string line = padded(phase_, phase_width) + " [" + bar(part * width, width) + "] " +
                     fixed(100 * part, 0) + " %";
  if (loss > 0) line += "  loss " + fixed(loss, 4);
  if (rate > 0)
    line += "  " + grouped(static_cast<Index>(rate * static_cast<double>(batch_))) +
            " samples/s  ETA " + duration(static_cast<double>(steps_ - done) / rate);
  std::cerr << "\r\033[K" << styled(line, Style::dim, STDERR_FILENO) << std::flush;
  drawn_ = true;
}

void Progress::metrics(const nlohmann::ordered_json& line) {
  if (quiet_) return;
  std::string text = padded(line.value("phase", phase_), phase_width);
  if (const auto epoch = line.find("epoch"); epoch != line.end()) text += " epoch " + epoch->dump();
  text += field(line, "loss", "loss", 4) + field(line, "accuracy", "accuracy", 2, " %") +
          field(line, "avg_weight_bits", "weight bits", 3) +
          field(line, "avg_activation_bits", "activation bits", 3) +
          field(line, "seconds", "", 1, " s");
  print(text);
}

void Progress::note(std::string_view text) { print(std::string(text)); }

bool Progress::stopping() { return noted_signal() != 0; }

}  // namespace fraqat::tools
