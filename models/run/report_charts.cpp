#include "models/run/report_charts.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "models/run/chart.hpp"

namespace fraqat::run {
namespace {

constexpr std::size_t colours = 8, dashes = 3;

std::string series_style(std::size_t i) {
  return concat("c", std::to_string(i % colours), " d", std::to_string(i / colours % dashes));
}

/// What the tensor of a slot is; the run says so as soon as it is finished.
std::string role_of(const RunData& run, const std::string& slot) {
  for (const FinalTensor& t : run.tensors)
    if (t.name == slot) return t.role;
  if (slot.ends_with("weight_q")) return "weight";
  return slot.ends_with("input_q") ? "input" : "activation";
}

/// "conv1.weight_q" is the weight of conv1; where only one slot is drawn for a
/// layer its name says enough.
std::string short_name(const std::string& slot, const std::string& role) {
  if (role == "input") return "input";
  const std::size_t dot = slot.rfind('.');
  if (dot == slot.npos || !slot.ends_with("_q")) return slot;
  return slot.substr(0, dot) + (slot.ends_with("input_q") ? " reads" : "");
}

/// The epochs of the phases of the learned way, one after the other.
struct Way {
  std::vector<Band> bands;
  double baselines = 0;  // where the uniform networks branch off

  explicit Way(const RunData& run) {
    std::map<std::string, double> length;
    std::vector<std::string> order;
    for (const Epoch& epoch : run.epochs) {
      if (is_baseline(epoch.phase)) continue;
      double& most = length[epoch.phase];
      if (std::find(order.begin(), order.end(), epoch.phase) == order.end())
        order.push_back(epoch.phase);
      most = std::max(most, epoch.epoch);
    }
    for (const std::string& phase : order) {
      const double from = bands.empty() ? 0 : bands.back().to;
      bands.push_back({from, from + length[phase], phase});
      if (phase == "float") baselines = from + length[phase];
    }
  }

  double place(const Epoch& epoch) const {
    for (const Band& band : bands)
      if (band.name == epoch.phase) return band.from + epoch.epoch;
    return baselines + epoch.epoch;
  }
};

std::string at_epoch(const Epoch& epoch) {
  return concat(epoch.phase, ", epoch ", fixed(epoch.epoch, 0), ": ");
}

std::string about(const RunData& run, std::string_view what) {
  return concat(what, " of ", run.name, ", epoch by epoch");
}

Line& line_called(std::vector<Line>& lines, const std::string& name, const std::string& style) {
  for (Line& line : lines)
    if (line.name == name) return line;
  lines.push_back({name, style, {}, true, true, Marker::none});
  return lines.back();
}

bool nothing(const Plot& plot) {
  for (const Line& line : plot.lines)
    for (const Point& p : line.points)
      if (std::isfinite(p.y)) return false;
  return true;
}

Plot plot_of(std::string summary, std::string x_title, std::string y_title) {
  Plot plot;
  plot.summary = std::move(summary);
  plot.x_title = std::move(x_title);
  plot.y_title = std::move(y_title);
  return plot;
}

/// Over the epochs of the learned way.
Plot plot_over(const Way& way, std::string summary, std::string y_title) {
  Plot plot = plot_of(std::move(summary), "Epoch", std::move(y_title));
  plot.bands = way.bands;
  plot.whole_x = true;
  return plot;
}

/// Only the bands, and with them the epochs, in which something is drawn.
void keep_used_bands(Plot& plot) {
  std::erase_if(plot.bands, [&](const Band& band) {
    for (const Line& line : plot.lines)
      for (const Point& p : line.points)
        if (p.x > band.from && p.x <= band.to && std::isfinite(p.y)) return false;
    return true;
  });
}

/// "3", "6 levels (2.67)", or of channels that have a width each "2.71 (2-4)".
std::string width_text(const FinalTensor& t) {
  const std::string bits = fixed(t.bits, t.bits == std::floor(t.bits) ? 0 : 2);
  if (std::isfinite(t.levels)) return fixed(t.levels, 0) + " levels (" + bits + ")";
  if (t.channel_bits.empty()) return bits;
  const auto [low, high] = std::minmax_element(t.channel_bits.begin(), t.channel_bits.end());
  return fixed(t.bits, 2) + " (" + fixed(*low, 0) + "-" + fixed(*high, 0) + ")";
}

}  // namespace

std::string learning_chart(const RunData& run, const Quantity& quantity) {
  const Way way(run);
  Plot plot = plot_over(way, about(run, quantity.name), quantity.name);
  plot.most_range = quantity.most_range;
  for (const Epoch& epoch : run.epochs) {
    const bool baseline = is_baseline(epoch.phase);
    Line& line = line_called(plot.lines, baseline ? epoch.phase : "learned",
                             baseline ? "base" : "c0 strong");
    const double y = epoch.*quantity.value;
    // The two stretches of a baseline both count their epochs from 1.
    const double x =
        baseline ? way.baselines + static_cast<double>(line.points.size() + 1) : way.place(epoch);
    line.points.push_back({x, y, at_epoch(epoch) + fixed(y, 3), {}});
  }
  for (Line& line : plot.lines)  // a baseline begins where float training ended
    if (is_baseline(line.name))
      for (const Epoch& epoch : run.epochs)
        if (epoch.phase == "float" && way.place(epoch) == way.baselines)
          line.points.insert(line.points.begin(), {way.baselines, epoch.*quantity.value, {}, {}});
  std::stable_partition(plot.lines.begin(), plot.lines.end(),
                        [](const Line& line) { return is_baseline(line.name); });
  return nothing(plot) ? "" : draw(plot);
}

std::string bits_chart(const RunData& run, Kind kind) {
  const Way way(run);
  const bool weights = kind == Kind::weight;
  Plot plot = plot_over(
      way, about(run, weights ? "Bits of the weights" : "Bits of the activations"), "Bits");
  Line average{"average", "ink strong", {}, true, true, Marker::none};
  for (const Epoch& epoch : run.epochs) {
    if (is_baseline(epoch.phase) || epoch.bits.empty()) continue;
    for (const auto& [slot, bits] : epoch.bits) {
      const std::string role = role_of(run, slot);
      if (role != (weights ? "weight" : "activation")) continue;
      Line& line = line_called(plot.lines, short_name(slot, role), series_style(plot.lines.size()));
      line.points.push_back(
          {way.place(epoch), bits, slot + ", " + at_epoch(epoch) + fixed(bits, 2) + " bits", {}});
    }
    const double mean = weights ? epoch.weight_bits : epoch.activation_bits;
    average.points.push_back({way.place(epoch),
                              mean,
                              concat("average, ", at_epoch(epoch), fixed(mean, 3), " bits"),
                              {}});
  }
  if (nothing(plot)) return {};
  plot.lines.push_back(std::move(average));
  const double target = run.number(weights ? "budget.weight.target" : "budget.activation.target");
  if (std::isfinite(target) && target <= 32)
    plot.levels.push_back({target, concat("budget ", fixed(target, 2))});
  keep_used_bands(plot);
  return draw(plot);
}

std::string price_chart(const RunData& run, const PriceUnit& unit) {
  const Way way(run);
  Plot plot = plot_over(way, about(run, unit.axis), unit.axis);
  plot.zero_y = true;
  for (const auto& [budget, name] : unit.budgets) {
    Line line{name, series_style(plot.lines.size()), {}, true, true, Marker::none};
    for (const Epoch& epoch : run.epochs)
      for (const auto& [of, price] : epoch.prices)
        if (of == budget && std::isfinite(price))
          line.points.push_back({way.place(epoch),
                                 unit.factor * price,
                                 at_epoch(epoch) + fixed(unit.factor * price, 6),
                                 {}});
    plot.lines.push_back(std::move(line));
  }
  keep_used_bands(plot);
  return nothing(plot) ? "" : draw(plot);
}

std::string final_bits_chart(const RunData& run, Kind kind) {
  std::vector<Bar> bars;
  double most = 8;
  for (const FinalTensor& t : run.tensors) {
    if ((t.role == "weight") != (kind == Kind::weight)) continue;
    const bool learned = std::isfinite(t.learned_bits) && t.learned_bits != t.bits;
    const std::string fractional = learned ? fixed(t.learned_bits, 2) + " \u2192 " : "";
    bars.push_back(
        {short_name(t.name, t.role), kind == Kind::weight ? "c0" : "c1", fractional + width_text(t),
         t.name + ": learned " + fixed(t.learned_bits, 3) + ", rounded to " + width_text(t) +
             (std::isfinite(t.levels) ? ", " : " bits, ") + grouped(t.elements) + " elements",
         t.bits, learned ? t.learned_bits : missing});
    if (std::isfinite(t.bits)) most = std::max(most, t.bits);
  }
  if (bars.empty()) return {};
  return draw_bars(concat("Bits at the end of ", run.name), "Bits", most, bars);
}

std::string final_bytes_chart(const RunData& run) {
  std::vector<Bar> bars;
  double most = 0, all = 0;
  for (const FinalTensor& t : run.tensors)
    if (t.role == "weight" && std::isfinite(t.bytes)) {
      most = std::max(most, t.bytes);
      all += t.bytes;
    }
  for (const FinalTensor& t : run.tensors) {
    if (t.role != "weight" || !std::isfinite(t.bytes)) continue;
    const double share = all > 0 ? 100 * t.bytes / all : 0;
    bars.push_back(
        {short_name(t.name, t.role), "c0", grouped(t.bytes),
         t.name + ": " + grouped(t.bytes) + " bytes, " + fixed(share, 1) + " % of the weights",
         t.bytes, missing});
  }
  if (bars.empty()) return {};
  return draw_bars(concat("Bytes of the packed weights of ", run.name), "Bytes", most, bars);
}

std::string run_style(std::size_t r) { return concat("c", std::to_string(r % colours)); }

std::string size_chart(std::span<const RunData> runs) {
  Plot plot = plot_of("Accuracy against size of every network", "Bytes of the packed model",
                      "Test accuracy, %");
  plot.log_x = true;
  std::set<std::string> drawn;  // runs share baselines; each is drawn once
  for (std::size_t r = 0; r < runs.size(); ++r) {
    Line uniform{"uniform", "base", {}, false, true, Marker::dot};
    Line others{"other networks", "base", {}, false, false, Marker::square};
    Line learned{"learned", run_style(r), {}, false, false, Marker::diamond};
    for (const Arm& arm : runs[r].arms) {
      const std::string title = (runs.size() > 1 ? runs[r].name + ", " : "") + arm.name + ": " +
                                fixed(arm.accuracy, 2) + " %, " + grouped(arm.bytes) + " bytes";
      const bool baseline = is_baseline(arm.name), own = !baseline && arm.name != "float";
      if (!own && !drawn.insert(title.substr(title.rfind(arm.name))).second) continue;
      const bool plain = arm.name.starts_with("uniform-") && !arm.name.ends_with("ends8");
      Line& line = plain ? uniform : own ? learned : others;
      const std::string& label = own && runs.size() > 1 ? runs[r].name : arm.name;
      line.points.push_back({arm.bytes, arm.accuracy, title, own || r == 0 ? label : ""});
    }
    std::sort(uniform.points.begin(), uniform.points.end(),
              [](const Point& a, const Point& b) { return a.x < b.x; });
    plot.lines.insert(plot.lines.begin(), {uniform, others});
    plot.lines.push_back(std::move(learned));
  }
  return nothing(plot) ? "" : draw(plot);
}

}  // namespace fraqat::run
