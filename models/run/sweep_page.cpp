#include "models/run/sweep_page.hpp"

#include <algorithm>
#include <cmath>

#include "core/file.hpp"
#include "models/run/chart.hpp"
#include "models/run/html.hpp"
#include "models/run/json_text.hpp"
#include "models/run/report_style.hpp"

namespace fraqat::run {

using namespace html;

namespace {

using std::string;

constexpr std::size_t hash_digits = 8;

/// The axis is linear, in kB: only there is the line between two rows straight.
constexpr double kilo = 1000;

/// A little more than the largest learned row still is its neighbourhood.
constexpr double margin = 0.1;

/// "91.38 ± 0.12"; of one seed just "91.38".
string with_spread(const Spread& spread, int digits) {
  const string mean = fixed(spread.mean, digits);
  return spread.count > 1 ? mean + " \u00B1 " + fixed(spread.deviation, digits) : mean;
}

string with_commas(double value) {
  string digits = fixed(value, 0);
  for (std::size_t i = digits.size(); i > 3 && std::isfinite(value); i -= 3)
    digits.insert(i - 3, ",");
  return digits;
}

double mean_of(const SummaryRow& row, double SummaryRow::Sample::*member) {
  std::vector<double> values;
  for (const auto& sample : row.samples) values.push_back(sample.*member);
  return spread_of(values).mean;
}

/// For a cell of Markdown, where a bar would end it.
string cell(const string& text) {
  string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

string point_title(const SummaryRow& row) {
  const Spread accuracy = row.accuracy();
  return concat(row.name, ": ", with_spread(accuracy, 2), " %, ", grouped(row.bytes().mean),
                " bytes, ", std::to_string(accuracy.count),
                accuracy.count == 1 ? " seed" : " seeds");
}

Point point_of(const SummaryRow& row, bool labelled) {
  const Spread accuracy = row.accuracy();
  return {row.bytes().mean / kilo, accuracy.mean, point_title(row), labelled ? row.name : string(),
          accuracy.count > 1 ? accuracy.deviation : 0};
}

void sort_by_bytes(Line& line) {
  std::sort(line.points.begin(), line.points.end(),
            [](const Point& a, const Point& b) { return a.x < b.x; });
}

/// The uniform rows of each start, joined: what learned ones have to beat.
void add_uniform(const Summary& summary, double most_bytes, Plot& plot) {
  std::vector<string> starts;
  for (const SummaryRow& row : summary.rows)
    if (row.kind == RowKind::uniform &&
        std::find(starts.begin(), starts.end(), row.start) == starts.end())
      starts.push_back(row.start);
  for (const string& start : starts) {
    Line line{"between uniform rows", "base", {}, false, true, Marker::square};
    for (const SummaryRow& row : summary.rows)
      if (row.kind == RowKind::uniform && row.start == start && row.bytes().mean <= most_bytes)
        line.points.push_back(point_of(row, true));
    sort_by_bytes(line);
    plot.lines.push_back(std::move(line));
  }
}

/// Of the rows up to `most_bytes`, and of float where there is no such limit.
string chart(const Summary& summary, double most_bytes) {
  Plot plot;
  plot.summary = "Accuracy against size of every row of " + summary.sweep;
  plot.x_title = "Packed model, kB";
  plot.y_title = "Test accuracy, %";
  Line front{"front", "c0", {}, false, true, Marker::none};
  Line learned{"learned", "c0", {}, false, false, Marker::diamond};
  Line others{"other networks", "c1", {}, false, false, Marker::dot};
  for (const SummaryRow& row : summary.rows) {
    if (row.kind == RowKind::full && std::isinf(most_bytes))
      plot.levels.push_back({row.accuracy().mean, row.name});
    if (row.kind == RowKind::full || row.bytes().mean > most_bytes) continue;
    if (row.on_front)
      front.points.push_back({row.bytes().mean / kilo, row.accuracy().mean, "", "", 0});
    if (row.kind == RowKind::learned) learned.points.push_back(point_of(row, row.on_front));
    if (row.kind == RowKind::other) others.points.push_back(point_of(row, row.on_front));
  }
  if (front.points.empty()) return {};
  sort_by_bytes(front);
  add_uniform(summary, most_bytes, plot);
  plot.lines.insert(plot.lines.end(), {std::move(front), std::move(others), std::move(learned)});
  return draw(plot);
}

string points(std::size_t finished, std::size_t runs) {
  return concat(std::to_string(finished), " of ", std::to_string(runs), " runs finished");
}

string html_table(const Summary& summary) {
  string body;
  for (const SummaryRow& one : summary.rows)
    body += row(cells_of(one), "td", one.on_front ? "own" : "");
  return table(row(table_titles(), "th"), body);
}

}  // namespace

const std::vector<string>& table_titles() {
  static const std::vector<string> titles = {"row",     "seeds",       "float",         "W bits",
                                             "A bits",  "data bytes",  "fractional",    "searched",
                                             "rounded", "accuracy, %", "over the line", "hash"};
  return titles;
}

std::vector<string> cells_of(const SummaryRow& row) {
  using Sample = SummaryRow::Sample;
  string seeds, over_line, hashes;
  for (const Sample& sample : row.samples) {
    seeds += (seeds.empty() ? "" : " ") + std::to_string(sample.seed);
    if (!sample.hash.empty())
      hashes += (hashes.empty() ? "" : " ") + sample.hash.substr(0, hash_digits);
  }
  if (row.over_line) {
    const Spread& over = row.over_line->spread;
    over_line = (over.mean >= 0 ? "+" : "") + with_spread(over, 2);
  }
  return {row.name,
          seeds,
          fixed(mean_of(row, &Sample::full_accuracy), 2),
          fixed(mean_of(row, &Sample::weight_bits), 3),
          fixed(mean_of(row, &Sample::activation_bits), 3),
          with_commas(row.bytes().mean),
          fixed(mean_of(row, &Sample::fractional), 2),
          fixed(mean_of(row, &Sample::searched), 2),
          fixed(mean_of(row, &Sample::rounded), 2),
          with_spread(row.accuracy(), 2) + (row.verified() ? "" : " NOT verified"),
          over_line,
          hashes};
}

string markdown(const Summary& summary) {
  string text =
      concat("`", summary.command, "`: ", points(summary.finished, summary.runs),
             ". Mean \u00B1 sample standard deviation over seeds, last epoch; a single row "
             "again: `--rows 'NAME'`.\n\n");
  const auto line = [&](const std::vector<string>& cells) {
    for (const string& one : cells) text += "| " + cell(one) + " ";
    text += "|\n";
  };
  line(table_titles());
  line(std::vector<string>(table_titles().size(), "---"));
  for (const SummaryRow& row : summary.rows) line(cells_of(row));
  return text;
}

string front_chart(const Summary& summary) {
  return chart(summary, std::numeric_limits<double>::infinity());
}

string close_up(const Summary& summary) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double largest = 0, learned = 0, above = infinity;
  for (const SummaryRow& row : summary.rows) {
    if (row.kind == RowKind::full) continue;
    largest = std::max(largest, row.bytes().mean);
    if (row.kind == RowKind::learned) learned = std::max(learned, row.bytes().mean);
  }
  for (const SummaryRow& row : summary.rows)
    if (row.kind == RowKind::uniform && row.bytes().mean >= learned)
      above = std::min(above, row.bytes().mean);
  const double most = std::max(learned * (1 + margin), above < infinity ? above : 0);
  return learned > 0 && largest > most ? chart(summary, most) : string();
}

string front_svg(const Summary& summary) {
  string svg = front_chart(summary);
  if (svg.empty()) return svg;
  constexpr std::string_view ground =
      "svg{background:var(--card);font-family:system-ui,\"Liberation Sans\",Arial,sans-serif}";
  svg.insert(svg.find('>') + 1, concat("<style>", report_style, ground, "</style>"));
  return svg + "\n";
}

string sweep_html(const Summary& summary) {
  string html = concat("<p class=\"soft\">", escape(points(summary.finished, summary.runs)),
                       " \u00B7 recipe ", escape(summary.recipe), " \u00B7 ",
                       escape(summary.command), "</p>\n");
  for (const auto& failure : summary.failures)
    html += concat("<p class=\"card verdict bad\"><b>",
                   escape(failure.at("row").get<string>() + ", seed " + failure.at("seed").dump()),
                   "</b> ", escape(failure.at("error").get<string>()), "</p>\n");
  html += "<div class=\"grid\">\n";
  html +=
      figure("Accuracy against size",
             "Diamonds: learned; squares: uniform, joined by straight lines; dots: others; bars: "
             "standard deviation over seeds; line: the front, which no other row beats",
             front_chart(summary));
  html += figure("Close up", "Rows up to the size of the largest learned one, without float",
                 close_up(summary));
  html += "</div>\n<p></p>\n";
  html += html_table(summary);
  html +=
      "<p class=\"soft\">Mean \u00B1 sample standard deviation over seeds; shaded rows are on "
      "the front. Over the line: points above the straight line, accuracy over bytes, between "
      "the uniform rows next to it.</p>\n";
  return html::page(summary.sweep, html);
}

void write_sweep(const Summary& summary, const std::filesystem::path& folder) {
  const auto write = [&](const char* name, const string& text) {
    write_file_atomically((folder / name).string(), text);
  };
  write("sweep.json", json_text(to_json(summary)) + "\n");
  write("table.md", markdown(summary));
  if (const string svg = front_svg(summary); !svg.empty()) write("front.svg", svg);
  write("sweep.html", sweep_html(summary));
}

}  // namespace fraqat::run
