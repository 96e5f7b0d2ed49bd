#include "tools/summary.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>

#include "models/run/report_data.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

/// object[key], NaN where there is no such number.
double number(const Json& object, const char* key) {
  const auto found = object.find(key);
  const bool there = found != object.end() && found->is_number();
  return there ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string whole(double value) {
  return std::abs(value) < 1e15 ? grouped(static_cast<Index>(value)) : "-";
}

/// "uniform-8" as "uniform 8", "uniform-8-ends8" as "uniform 8 ends8".
std::string arm_title(const Json& arm) {
  const auto found = arm.find("name");
  std::string name = found != arm.end() && found->is_string() ? found->get<std::string>() : "-";
  for (char& c : name)
    if (c == '-') c = ' ';
  return name;
}

/// Accuracy, bits and bytes of every network trained, the float one first.
std::string arms_table(const Json& arms) {
  Table table({{"network", Table::Align::left},
               {"accuracy"},
               {"weight bits"},
               {"activation bits"},
               {"bytes"},
               {"size"}});
  double float_bytes = 0;
  for (const Json& arm : arms) {
    const std::string title = arm_title(arm);
    const double bytes = number(arm, "bytes");
    if (title == "float") float_bytes = bytes;
    const bool known = float_bytes > 0 && bytes > 0;
    table.row(
        {title, fixed(number(arm, "accuracy"), 2) + " %", fixed(number(arm, "avg_weight_bits"), 2),
         fixed(number(arm, "avg_activation_bits"), 2), whole(bytes),
         known ? "1/" + fixed(float_bytes / bytes, 1) : "-"},
        title == "learned" ? Style::bold : Style::plain);
  }
  return table.text();
}

void line(std::string label, const std::string& value) {
  constexpr std::size_t width = 14;
  label.resize(width, ' ');
  std::cout << label << value << '\n';
}

/// "weight 2.4990 of 2.5 (99.96 %)" for each budget there is.
std::string budget_text(const Json& result) {
  std::string text;
  const auto budgets = result.find("budget");
  if (budgets == result.end() || !budgets->is_object()) return text;
  for (const auto& [side, budget] : budgets->items()) {
    if (!std::isfinite(number(budget, "target"))) continue;
    if (!text.empty()) text += ", ";
    const double target = number(budget, "target"), reached = number(budget, "reached");
    constexpr double many = 100;  // bytes and bit operations, not average bits
    text += side + " " +
            (target < many ? fixed(reached, 4) + " of " + budget["target"].dump()
                           : whole(reached) + " of " + whole(target)) +
            " (" + fixed(100 * reached / target, 2) + " %)";
  }
  return text;
}

/// Why more than 1 % of a budget is left.
void print_unused(const Json& result) {
  const auto budgets = result.find("budget");
  if (budgets == result.end() || !budgets->is_object()) return;
  for (const auto& [side, budget] : budgets->items())
    if (const auto why = budget.find("unused"); why != budget.end() && why->is_string())
      line("", side + " not used up: " + why->get<std::string>());
}

bool is_over_budget(const Json& result) {
  const auto budgets = result.find("budget");
  return budgets != result.end() && budgets->is_object() &&
         std::any_of(budgets->begin(), budgets->end(), [&](const Json& budget) {
           return !run::keeps_budget(number(budget, "reached"), number(budget, "target"));
         });
}

/// What rounding and fine-tuning did to the accuracy.
std::string gap_text(const Json& result) {
  const auto gap = result.find("gap");
  if (gap == result.end() || !gap->is_object()) return {};
  std::string text;
  const auto add = [&](const char* key, const std::string& words) {
    if (!std::isfinite(number(*gap, key))) return;
    text += (text.empty() ? "" : ", ") + fixed(number(*gap, key), 2) + " % " + words;
  };
  add("fractional", "with fractional widths");
  add("searched", "with the nearest whole ones");
  add("rounded", "rounded");
  add("finetuned", "in the end");
  return text;
}

}  // namespace

void print_summary(const Json& result, const std::filesystem::path& folder) {
  const auto arms = result.find("arms");
  if (arms != result.end()) std::cout << arms_table(*arms) << '\n';
  if (!result.contains("mismatches")) {
    line("float only", "quant.enabled = false, so nothing was packed or verified");
    line("checkpoint", (folder / "checkpoints/float.safetensors").string());
    line("report", (folder / "report.html").string());
    return;
  }
  const auto bytes = [&](const char* key) { return whole(number(result, key)); };
  line("average bits", fixed(number(result, "avg_weight_bits"), 3) + " weights, " +
                           fixed(number(result, "avg_activation_bits"), 3) + " activations");
  if (const std::string budget = budget_text(result); !budget.empty()) line("budget", budget);
  print_unused(result);
  if (is_over_budget(result))
    line("", styled("over budget: only round.mode = \"budget\" keeps to one", Style::bad,
                    STDOUT_FILENO));
  if (const std::string gap = gap_text(result); !gap.empty()) line("accuracy", gap);
  line("bytes", bytes("model_bytes") + " = " + bytes("data_bytes") + " data + " +
                    bytes("header_bytes") + " header");
  const double mismatches = number(result, "mismatches");
  const auto found = result.find("verified");
  const bool verified = found != result.end() && found->is_boolean() && found->get<bool>();
  const std::string verdict =
      verified ? "" : ", NOT verified; predictions that differ: " + bytes("different_predictions");
  line("mismatches:",
       styled(whole(mismatches) + verdict, verified ? Style::good : Style::bad, STDOUT_FILENO));
  line("model", (folder / "model.fraqat").string());
  line("report", (folder / "report.html").string());
}

}  // namespace fraqat::tools
