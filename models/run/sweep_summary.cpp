#include "models/run/sweep_summary.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/text.hpp"
#include "models/run/sweep_plan.hpp"

namespace fraqat::run {
namespace {

using nlohmann::ordered_json;

using Sample = SummaryRow::Sample;

double number(const ordered_json& object, const char* key) {
  if (!object.is_object()) return std::numeric_limits<double>::quiet_NaN();
  const auto found = object.find(key);
  const bool there = found != object.end() && found->is_number();
  return there ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string text(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const ordered_json& arms_of(const SweepRun& run) {
  static const ordered_json none = ordered_json::array();
  const auto arms = run.result.find("arms");
  return arms != run.result.end() && arms->is_array() ? *arms : none;
}

/// What the row is about: the learned network, or the float one where that is all.
std::string main_arm(const Recipe& recipe) { return recipe.quantize ? "learned" : "float"; }

bool is_uniform(const Recipe& r) {
  return r.quantize && r.weight.bits == "fixed" && r.activation.bits == "fixed" &&
         r.weight.start == r.activation.start && r.weight_bits.empty() && r.activation_bits.empty();
}

RowKind kind_of(const Recipe& recipe, const std::string& arm) {
  if (arm.starts_with("float")) return RowKind::full;
  if (arm.starts_with("uniform-"))
    return arm.ends_with("ends8") ? RowKind::other : RowKind::uniform;
  if (arm != "learned") return RowKind::other;
  if (is_uniform(recipe)) return RowKind::uniform;
  const bool fixed = recipe.weight.bits == "fixed" && recipe.activation.bits == "fixed";
  return fixed ? RowKind::other : RowKind::learned;
}

Sample sample_of(const SweepRun& run, const ordered_json& arm) {
  const ordered_json& arms = arms_of(run);
  Sample sample;
  sample.seed = run.seed;
  sample.point = {number(arm, "bytes"), number(arm, "accuracy")};
  sample.weight_bits = number(arm, "avg_weight_bits");
  sample.activation_bits = number(arm, "avg_activation_bits");
  sample.full_accuracy = arms.empty() ? sample.point.accuracy : number(arms.front(), "accuracy");
  sample.seconds = number(run.result, "seconds");
  sample.hash = text(arm, "hash");
  if (sample.hash.empty() && &arm == &arms.back())  // a run from before arms had hashes
    sample.hash = text(run.result, "hash");
  const bool learned = text(arm, "name") == "learned";
  const ordered_json gap = learned ? run.result.value("gap", ordered_json()) : ordered_json();
  sample.fractional = number(gap, "fractional");
  sample.searched = number(gap, "searched");
  sample.rounded = number(gap, "rounded");
  sample.verified = !learned || run.result.value("verified", false);
  return sample;
}

/// Adds samples to rows, which appear in the order in which they are first named.
class Rows {
 public:
  void add(SummaryRow row, Sample sample) {
    const std::string key = row.row + '\n' + row.arm + '\n' + (row.row.empty() ? row.start : "");
    const auto [found, fresh] = index_.emplace(key, rows.size());
    if (fresh) rows.push_back(std::move(row));
    std::vector<Sample>& samples = rows[found->second].samples;
    const auto place =
        std::lower_bound(samples.begin(), samples.end(), sample.seed,
                         [](const Sample& one, std::uint64_t seed) { return one.seed < seed; });
    if (place == samples.end() || place->seed != sample.seed)
      samples.insert(place, std::move(sample));
  }

  std::vector<SummaryRow> rows;

 private:
  std::map<std::string, std::size_t> index_;
};

/// The float networks that rows start from, each once.
void add_floats(const std::vector<SweepRun>& runs, Rows& rows) {
  for (const SweepRun& run : runs) {
    const ordered_json& arms = arms_of(run);
    if (!run.row->recipe.quantize || arms.empty()) continue;
    const std::string start = float_folder(run.row->recipe);
    Sample sample = sample_of(run, arms.front());
    sample.hash.clear();
    sample.seconds = std::numeric_limits<double>::quiet_NaN();
    rows.add({"float", "", "float", start, {}, RowKind::full, {}, {}, false}, std::move(sample));
  }
  if (rows.rows.size() > 1)
    for (std::size_t i = 0; i < rows.rows.size(); ++i)
      rows.rows[i].name += " " + std::to_string(i + 1);
}

std::string title(const std::string& row, std::string arm, const std::string& main) {
  if (arm == main) return row;
  std::replace(arm.begin(), arm.end(), '-', ' ');
  return row + ": " + arm;
}

void add_row(const SweepRow& row, const std::vector<SweepRun>& runs, Rows& rows) {
  const std::string main = main_arm(row.recipe), start = float_folder(row.recipe);
  for (const SweepRun& run : runs) {
    if (run.row != &row) continue;
    for (const ordered_json& arm : arms_of(run)) {
      const std::string name = text(arm, "name");
      if (name != main && (!row.all_arms || name == "float")) continue;
      rows.add({title(row.name, name, main),
                row.name,
                name,
                start,
                {row.recipe.weight.narrow_range, row.recipe.sum_bits},
                kind_of(row.recipe, name),
                {},
                {},
                false},
               sample_of(run, arm));
    }
  }
}

const Sample* of_seed(const SummaryRow& row, std::uint64_t seed) {
  for (const Sample& sample : row.samples)
    if (sample.seed == seed) return &sample;
  return nullptr;
}

/// The uniform rows next to `row` in bytes; where two are alike, the better one.
std::pair<const SummaryRow*, const SummaryRow*> neighbours(const std::vector<SummaryRow>& rows,
                                                           const SummaryRow& row) {
  const SummaryRow *below = nullptr, *above = nullptr;
  const SizePoint here = row.point();
  for (const SummaryRow& other : rows) {
    if (other.kind != RowKind::uniform || other.start != row.start || other.codes != row.codes)
      continue;
    const SizePoint p = other.point();
    const auto better = [&](const SummaryRow* than, bool nearer) {
      return !than || nearer ||
             (p.bytes == than->point().bytes && p.accuracy > than->point().accuracy);
    };
    if (p.bytes <= here.bytes && better(below, below && p.bytes > below->point().bytes))
      below = &other;
    if (p.bytes >= here.bytes && better(above, above && p.bytes < above->point().bytes))
      above = &other;
  }
  return {below, above};
}

std::optional<SummaryRow::Distance> distance(const std::vector<SummaryRow>& rows,
                                             const SummaryRow& row) {
  const auto [below, above] = neighbours(rows, row);
  if (!below || !above) return {};
  std::vector<double> over;
  for (const Sample& sample : row.samples) {
    const Sample *low = of_seed(*below, sample.seed), *high = of_seed(*above, sample.seed);
    if (!low || !high) continue;
    const double line = on_line(low->point, high->point, sample.point.bytes);
    if (std::isfinite(line)) over.push_back(sample.point.accuracy - line);
  }
  if (over.empty()) return {};
  return SummaryRow::Distance{spread_of(over), below->name, above->name};
}

void mark_front(std::vector<SummaryRow>& rows) {
  std::vector<SizePoint> points;
  std::vector<SummaryRow*> quantized;
  for (SummaryRow& row : rows) {
    if (row.kind == RowKind::full) continue;
    points.push_back(row.point());
    quantized.push_back(&row);
  }
  const std::vector<bool> front = front_of(points);
  for (std::size_t i = 0; i < quantized.size(); ++i) quantized[i]->on_front = front[i];
}

ordered_json json_of(const Spread& spread) {
  // NaN is null in JSON.
  return {{"n", spread.count},
          {"mean", spread.mean},
          {"deviation", spread.deviation},
          {"min", spread.least},
          {"max", spread.most}};
}

template <class Value>
ordered_json each(const SummaryRow& row, Value value) {
  ordered_json list = ordered_json::array();
  for (const Sample& sample : row.samples) list.push_back(value(sample));
  return list;
}

Spread spread_over(const SummaryRow& row, double (*value)(const Sample&)) {
  std::vector<double> values;
  for (const Sample& sample : row.samples) values.push_back(value(sample));
  return spread_of(values);
}

ordered_json json_of(const SummaryRow& row, const std::string& command) {
  ordered_json json = {{"name", row.name}, {"row", row.row}, {"arm", row.arm}};
  json["kind"] = name_of(row.kind);
  json["seeds"] = each(row, [](const Sample& s) { return s.seed; });
  json["accuracy"] = json_of(row.accuracy());
  json["accuracy"]["values"] = each(row, [](const Sample& s) { return s.point.accuracy; });
  json["float_accuracy"] = spread_over(row, [](const Sample& s) { return s.full_accuracy; }).mean;
  json["fractional"] = spread_over(row, [](const Sample& s) { return s.fractional; }).mean;
  json["searched"] = spread_over(row, [](const Sample& s) { return s.searched; }).mean;
  json["rounded"] = spread_over(row, [](const Sample& s) { return s.rounded; }).mean;
  json["bytes"] = json_of(row.bytes());
  json["avg_weight_bits"] = spread_over(row, [](const Sample& s) { return s.weight_bits; }).mean;
  json["avg_activation_bits"] =
      spread_over(row, [](const Sample& s) { return s.activation_bits; }).mean;
  json["verified"] = row.verified();
  json["front"] = row.on_front;
  if (row.over_line) {
    json["over_line"] = json_of(row.over_line->spread);
    json["over_line"]["below"] = row.over_line->below;
    json["over_line"]["above"] = row.over_line->above;
  }
  json["hashes"] = each(row, [](const Sample& s) { return s.hash; });
  json["command"] = row.row.empty() ? command : command + " --rows " + shell_quoted(row.row);
  json["seconds"] = spread_over(row, [](const Sample& s) { return s.seconds; }).mean;
  return json;
}

}  // namespace

Spread SummaryRow::accuracy() const {
  return spread_over(*this, [](const Sample& s) { return s.point.accuracy; });
}

Spread SummaryRow::bytes() const {
  return spread_over(*this, [](const Sample& s) { return s.point.bytes; });
}

bool SummaryRow::verified() const {
  return std::all_of(samples.begin(), samples.end(), [](const Sample& s) { return s.verified; });
}

const char* name_of(RowKind kind) {
  constexpr const char* names[] = {"float", "uniform", "learned", "other"};
  return names[static_cast<int>(kind)];
}

std::vector<SummaryRow> summarise(const Sweep& sweep, const std::vector<SweepRun>& runs) {
  Rows rows;
  add_floats(runs, rows);
  for (const SweepRow& row : sweep.rows) add_row(row, runs, rows);
  std::vector<SummaryRow>& all = rows.rows;
  for (SummaryRow& row : all)
    if (row.kind == RowKind::learned) row.over_line = distance(all, row);
  mark_front(all);
  return std::move(all);
}

ordered_json to_json(const Summary& summary) {
  ordered_json json = {{"sweep", summary.sweep},
                       {"recipe", summary.recipe},
                       {"command", summary.command},
                       {"runs", {{"finished", summary.finished}, {"of", summary.runs}}}};
  json["rows"] = ordered_json::array();
  for (const SummaryRow& row : summary.rows) json["rows"].push_back(json_of(row, summary.command));
  json["failures"] = summary.failures;
  return json;
}

}  // namespace fraqat::run
