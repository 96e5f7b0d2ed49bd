#include "models/run/report.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "models/run/chart.hpp"
#include "models/run/html.hpp"
#include "models/run/report_charts.hpp"

namespace fraqat::run {

using namespace html;

namespace {

using std::string;
using std::string_view;

constexpr double no_limit = std::numeric_limits<double>::infinity();

/// What the run is about: the learned network, or the last there is.
const Arm* main_arm(const RunData& run) {
  const Arm* learned = run.arm("learned");
  return learned || run.arms.empty() ? learned : &run.arms.back();
}

string with_unit(double value, int digits, string_view unit) {
  return std::isfinite(value) ? concat(fixed(value, digits), " ", unit) : fixed(value, digits);
}

string signed_points(double value) {
  if (!std::isfinite(value)) return fixed(value, 2);
  const string digits = fixed(std::abs(value), 2);
  return concat(value > 0 ? "+" : value < 0 ? "\u2212" : "", digits);
}

double to_float(const RunData& run, const Arm& arm) {
  const Arm* full = run.arm("float");
  return full ? arm.accuracy - full->accuracy : missing;
}

double compression(const RunData& run, const Arm& arm) {
  const Arm* full = run.arm("float");
  return full && arm.bytes > 0 ? full->bytes / arm.bytes : missing;
}

// --- one run ------------------------------------------------------------------

string verification(const RunData& run) {
  if (run.finished() && !run.arm("learned")) return {};  // float: there is nothing to verify
  const double mismatches = run.number("mismatches");
  const string verified = run.text("verified");
  const auto verdict = [](string_view css, string_view title, string_view meaning) {
    return concat("<p class=\"card verdict", css, "\"><b>", title, "</b> ", meaning, "</p>\n");
  };
  if (verified.empty() || !std::isfinite(mismatches))
    return verdict("", "not verified",
                   "The integer engine has not been compared with the evaluated network.");
  const bool good = verified == "true" && mismatches == 0;
  const string counts =
      concat("mismatches: ", grouped(mismatches),
             "; predictions that differ: ", grouped(run.number("different_predictions")), ".");
  if (good)
    return verdict(
        " good", "verified; " + counts,
        "The integer engine and the evaluated network agree on every integer of every "
        "layer; codes and predictions are compared with the network before it was lowered.");
  return verdict(" bad", "verification failed; " + counts,
                 mismatches > 0
                     ? "Integers differ between the integer engine and the evaluated network: "
                       "what was measured is not what would be deployed."
                     : "No integer differs, but the file, or more of its codes or predictions than "
                       "allowed, are not those of the network it was made of.");
}

string budget_tile(const RunData& run, const char* kind, const string& name) {
  const double target = run.number(concat("budget.", kind, ".target"));
  const double reached = run.number(concat("budget.", kind, ".reached"));
  if (!std::isfinite(target)) return {};
  const auto text = [&](double x) { return target > 100 ? grouped(x) : fixed(x, 3); };
  return tile(text(reached), name + " budget: " + text(target) + " at most",
              keeps_budget(reached, target) ? "" : "bad");
}

/// What rounding the fractional widths took, and training gave back.
string accuracy_on_the_way(const RunData& run) {
  string text;
  for (const auto& [key, words] : {std::pair{"gap.fractional", "with fractional widths"},
                                   {"gap.searched", "with the nearest whole ones"},
                                   {"gap.rounded", "rounded"},
                                   {"gap.finetuned", "in the end"}})
    if (const double accuracy = run.number(key); std::isfinite(accuracy))
      text += concat(text.empty() ? "" : ", ", with_unit(accuracy, 2, "%"), " ", words);
  return text.empty() ? "" : concat("<p>Accuracy on the way: ", text, ".</p>\n");
}

string tiles(const RunData& run) {
  const Arm* arm = main_arm(run);
  if (!arm) return {};
  const double drop = to_float(run, *arm), smaller = compression(run, *arm);
  string html = "<div class=\"tiles\">";
  html += tile(with_unit(arm->accuracy, 2, "%"), "test accuracy, " + arm->name);
  if (arm->name != "float" && std::isfinite(drop))
    html += tile(signed_points(drop), "points to the float network");
  html += tile(grouped(arm->bytes), std::isfinite(smaller)
                                        ? concat("bytes, ", fixed(smaller, 1), " times smaller")
                                        : "bytes of packed data");
  for (const auto& [kind, name] : {std::pair{"weight", "average weight bits,"},
                                   {"activation", "average activation bits,"},
                                   {"bytes", "bytes,"},
                                   {"bops", "bit operations,"},
                                   {"activation_bytes", "peak bytes of activations,"}})
    html += budget_tile(run, kind, name);
  return html + "</div>\n" + accuracy_on_the_way(run) + verification(run);
}

string arms_table(const RunData& run) {
  if (run.arms.empty()) return {};
  const string head = row({"Network", "Accuracy, %", "To float", "Loss", "Weight bits",
                           "Activation bits", "Bytes", "Smaller by"},
                          "th");
  string body;
  for (const Arm& arm : run.arms)
    body += row({arm.name, fixed(arm.accuracy, 2),
                 arm.name == "float" ? "" : signed_points(to_float(run, arm)), fixed(arm.loss, 4),
                 fixed(arm.weight_bits, 2), fixed(arm.activation_bits, 2), grouped(arm.bytes),
                 with_unit(compression(run, arm), 1, "\u00D7")},
                "td", &arm == main_arm(run) ? "own" : "");
  return table(head, body);
}

string prices(const RunData& run) {
  const PriceUnit bits{{{"weight", "weights"}, {"activation", "activations"}}, "Loss per bit"};
  const PriceUnit bytes{
      {{"bytes", "model"}, {"activation_bytes", "activations"}}, "Loss per 1,000 bytes", 1e3};
  const PriceUnit bops{{{"bops", "bit operations"}}, "Loss per million bit operations", 1e6};
  return figure("Price of a bit", "What the budget asks for one more average bit",
                price_chart(run, bits)) +
         figure("Price of a byte", "What the budget asks for 1,000 bytes more",
                price_chart(run, bytes)) +
         figure("Price of a bit operation", "What the budget asks for a million more",
                price_chart(run, bops));
}

string charts(const RunData& run) {
  constexpr double most_points = 20;  // of accuracy: the first epochs may lie below
  string html;
  html += figure("Accuracy", "Test accuracy after each epoch; thin: baselines",
                 learning_chart(run, {&Epoch::accuracy, "Accuracy, %", most_points}));
  html += figure("Loss", "After each epoch; thin: baselines",
                 learning_chart(run, {&Epoch::loss, "Loss", no_limit}));
  html += prices(run);
  html += figure("Bits of the weights", "The learned width of each weight tensor over time",
                 bits_chart(run, Kind::weight));
  html += figure("Bits of the activations",
                 "The learned width of each tensor over time; the image has 8 bits",
                 bits_chart(run, Kind::activation));
  html += figure("Final bits of the weights", "Bar: bits in the packed model; tick: as learned",
                 final_bits_chart(run, Kind::weight));
  html += figure("Final bits of the activations", "Bar: bits in the packed model; tick: as learned",
                 final_bits_chart(run, Kind::activation));
  html +=
      figure("Bytes of the weights", "Packed codes of each weight tensor", final_bytes_chart(run));
  return html;
}

string facts(const RunData& run) {
  string html;
  const double seconds = run.number("seconds"), peak = run.number("peak_bytes");
  html += entry("Run folder", run.folder.string());
  html += entry("Arguments", run.text("arguments"));
  html += entry("fraqat", run.text("version"));
  html += entry("Data", run.text("data.name"));
  html += entry("SHA-256 of the data", run.text("data.sha256"));
  html += entry("Seed", run.text("seed"));
  html += entry("Threads", run.text("threads"));
  html += entry("CPU", run.text("cpu"));
  html += entry("Instruction set", run.text("isa"));
  html += entry("BLAS", run.text("blas"));
  if (std::isfinite(seconds)) html += entry("Time", fixed(seconds, 1) + " s");
  if (const double rate = run.number("samples_per_second"); std::isfinite(rate))
    html += entry("Speed", grouped(rate) + " samples a second");
  if (std::isfinite(peak)) html += entry("Peak memory of tensors", fixed(peak / 1e6, 1) + " MB");
  html += entry("Result hash", run.text("hash"));
  return html.empty() ? "" : concat("<dl>", html, "</dl>");
}

string subtitle(const RunData& run) {
  string text = run.finished() ? "" : "not finished";
  const auto add = [&](const string& part) {
    if (!part.empty()) text += (text.empty() ? "" : " \u00B7 ") + part;
  };
  add(run.text("date"));
  add(run.text("data.name"));
  const string seed = run.text("seed"), threads = run.text("threads");
  if (!seed.empty()) add("seed " + seed);
  if (!threads.empty()) add(threads + (threads == "1" ? " thread" : " threads"));
  add(run.text("version").empty() ? "" : "fraqat " + run.text("version"));
  return concat("<p class=\"soft\">", escape(text), "</p>\n");
}

string section(const RunData& run, bool alone) {
  string html = alone ? "" : concat("<section><h2>", escape(run.name), "</h2>\n");
  html += subtitle(run) + tiles(run) + arms_table(run);
  html += "<div class=\"grid\">\n";
  if (alone)
    html += figure("Accuracy against size", "Each network of the run; up and to the left is better",
                   size_chart({&run, 1}));
  html += charts(run) + "</div>\n";
  if (!run.recipe.empty())
    html += folded("Settings: the complete recipe", concat("<pre>", escape(run.recipe), "</pre>"));
  html += folded("What the numbers depend on", facts(run));
  return html + (alone ? "" : "</section>\n");
}

// --- several runs -------------------------------------------------------------

string verified_word(const RunData& run) {
  const string verified = run.text("verified");
  return verified == "true" ? "yes" : verified.empty() ? "\u2013" : "NO";
}

string overview(const std::vector<RunData>& runs) {
  const string head = row({"Run", "Network", "Accuracy, %", "To float", "Weight bits",
                           "Activation bits", "Bytes", "Mismatches", "Verified", "Seed"},
                          "th");
  string body;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const RunData& run = runs[r];
    const Arm none;
    const Arm& arm = main_arm(run) ? *main_arm(run) : none;
    body += row({run.name, run.finished() ? arm.name : "not finished", fixed(arm.accuracy, 2),
                 signed_points(to_float(run, arm)), fixed(arm.weight_bits, 2),
                 fixed(arm.activation_bits, 2), grouped(arm.bytes),
                 grouped(run.number("mismatches")), verified_word(run), run.text("seed")},
                "td", concat("run ", run_style(r)));
  }
  return table(head, body) + figure("Accuracy against size",
                                    "Every network of every run; up and to the left is better",
                                    size_chart(runs));
}

/// Runs of one recipe are told apart by their folders.
void tell_apart(std::vector<RunData>& runs) {
  std::vector<string> names, folders;
  const auto count = [](const std::vector<string>& all, const string& one) {
    return std::count(all.begin(), all.end(), one);
  };
  for (const RunData& run : runs) {
    names.push_back(run.name);
    folders.push_back(run.folder_name());
  }
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (count(names, names[i]) > 1)
      runs[i].name = count(folders, folders[i]) > 1 ? runs[i].folder.string() : folders[i];
}

}  // namespace

string report_html(std::span<const std::filesystem::path> folders) {
  check(!folders.empty(), "[report] no run: got an empty list; expected run folders");
  std::vector<RunData> runs;
  for (const std::filesystem::path& folder : folders) runs.push_back(read_run(folder));
  tell_apart(runs);
  const bool alone = runs.size() == 1;
  const string title = alone ? runs[0].name : std::to_string(runs.size()) + " runs";
  string html;
  if (!alone) html += overview(runs);
  for (const RunData& run : runs) html += section(run, alone);
  return html::page(title, html);
}

}  // namespace fraqat::run
