#include "models/run/sweep_summary.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <random>

#include "core/file.hpp"
#include "models/run/sweep_page.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::sweep_summary_test {

using namespace fraqat::run;
using nlohmann::ordered_json;

namespace {

SweepRow row_of(const std::string& name, const std::string& bits, double start) {
  SweepRow row{name, name, {}, {1, 2, 3}, true, {}};
  for (Tensors* tensors : {&row.recipe.weight, &row.recipe.activation}) {
    tensors->bits = bits;
    tensors->start = start;
  }
  return row;
}

ordered_json arm(const std::string& name, double accuracy, double bytes, double bits) {
  return {{"name", name},   {"accuracy", accuracy},    {"loss", 0.5},
          {"bytes", bytes}, {"avg_weight_bits", bits}, {"avg_activation_bits", bits}};
}

/// Each arm with a hash of its own.
ordered_json result(std::vector<ordered_json> arms, const std::string& hash) {
  for (ordered_json& one : arms) one["hash"] = one["name"].get<std::string>()[0] + hash;
  return {{"arms", std::move(arms)},
          {"verified", true},
          {"seconds", 10.0},
          {"gap", {{"fractional", 89.75}, {"searched", 89.5}, {"rounded", 88.25}}}};
}

/// Two uniform rows and a learned one halfway between them, three seeds each.
struct Example {
  Sweep sweep;
  std::vector<SweepRun> runs;

  Example() {
    sweep = {"example", "lenet5-fashion", "", {}};
    sweep.rows = {row_of("uniform 2", "fixed", 2), row_of("uniform 3", "fixed", 3),
                  row_of("learned | 2.5", "stochastic", 3)};
    const double accuracy[3][3] = {{88, 89, 90}, {91, 91, 91.5}, {90.5, 90.25, 90}};
    const double bytes[] = {1000, 2000, 1500};
    for (std::size_t r = 0; r < 3; ++r)
      for (std::size_t s = 0; s < 3; ++s)
        add(r, s + 1, {arm("float", 92, 9000, 32), arm("learned", accuracy[r][s], bytes[r], 2.5)});
  }

  void add(std::size_t r, std::uint64_t seed, std::vector<ordered_json> arms) {
    const std::string hash = std::string(1, char('a' + r)) + std::to_string(seed) + "0123456789";
    runs.push_back({&sweep.rows[r], seed, result(std::move(arms), hash)});
  }

  Summary summary() const {
    return {"example", "lenet5-fashion", "fraqat sweep example",
            9,         runs.size(),      summarise(sweep, runs)};
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("spread: mean and sample deviation against numbers by hand") {
  // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares of distances sum to 32, 32 / 7.
  const Spread spread = spread_of(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9});
  CHECK(spread.count == 8);
  CHECK(spread.mean == 5);
  CHECK(spread.deviation == doctest::Approx(2.1380899352993950).epsilon(1e-14));
  CHECK(spread.least == 2);
  CHECK(spread.most == 9);
  const Spread one = spread_of(std::vector<double>{3});
  CHECK(one.mean == 3);
  CHECK(std::isnan(one.deviation));
  CHECK(std::isnan(spread_of({}).mean));
}

TEST_CASE("front: as comparing every pair says") {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<SizePoint> points(1 + random() % 12);
    for (SizePoint& p : points)  // few values, so that many are equal
      p = {double(random() % 6), double(random() % 6)};
    const std::vector<bool> front = front_of(points);
    for (std::size_t i = 0; i < points.size(); ++i) {
      bool beaten = false;
      for (const SizePoint& p : points)
        beaten |= p.bytes <= points[i].bytes && p.accuracy >= points[i].accuracy &&
                  (p.bytes < points[i].bytes || p.accuracy > points[i].accuracy);
      CHECK(front[i] == !beaten);
    }
  }
  CHECK(front_of({}).empty());
}

TEST_CASE("line: between its ends, nowhere else") {
  CHECK(on_line({1000, 88}, {2000, 92}, 1250) == 89);
  CHECK(on_line({1000, 88}, {2000, 92}, 1000) == 88);
  CHECK(on_line({2000, 92}, {1000, 88}, 2000) == 92);
  CHECK(on_line({1000, 88}, {1000, 89}, 1000) == 89);
  CHECK(std::isnan(on_line({1000, 88}, {2000, 92}, 999)));
  CHECK(std::isnan(on_line({1000, 88}, {2000, 92}, 2001)));
}

TEST_CASE("summary: rows, kinds, and the distance above the line seed by seed") {
  const Example example;
  const std::vector<SummaryRow> rows = example.summary().rows;
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].name == "float");
  CHECK(rows[0].kind == RowKind::full);
  CHECK(rows[0].samples.size() == 3);
  CHECK(rows[1].kind == RowKind::uniform);
  CHECK(rows[3].kind == RowKind::learned);
  CHECK(rows[3].accuracy().mean == 90.25);
  CHECK(rows[3].accuracy().deviation == 0.25);
  REQUIRE(rows[3].over_line);
  // The line at 1500: 89.5, 90, 90.75; above it 1, 0.25, -0.75.
  CHECK(rows[3].over_line->spread.count == 3);
  CHECK(rows[3].over_line->spread.mean == doctest::Approx(0.5 / 3));
  CHECK(rows[3].over_line->spread.deviation ==
        doctest::Approx(std::sqrt((std::pow(1 - 0.5 / 3, 2) + std::pow(0.25 - 0.5 / 3, 2) +
                                   std::pow(-0.75 - 0.5 / 3, 2)) /
                                  2)));
  CHECK(rows[3].over_line->below == "uniform 2");
  CHECK(rows[3].over_line->above == "uniform 3");
  CHECK_FALSE(rows[1].over_line);
  Example ends;  // a tensor of another width, and the row is none of the line's ends
  ends.sweep.rows[0].recipe.activation_bits = {{"pool", 8}};
  CHECK(ends.summary().rows[1].kind == RowKind::other);
  CHECK(rows[1].on_front);
  CHECK(rows[2].on_front);
  CHECK(rows[3].on_front);
  CHECK_FALSE(rows[0].on_front);
}

TEST_CASE("summary: other arms are rows of their own, unless the row says so") {
  Example example;
  example.runs.clear();
  example.add(2, 1,
              {arm("float", 92, 9000, 32), arm("float-longer", 93, 9000, 32),
               arm("uniform-2", 85, 1000, 2), arm("uniform-2-ends8", 86, 1100, 2.1),
               arm("random-1", 80, 1400, 2.4), arm("learned", 90, 1500, 2.5)});
  const auto names = [&] {
    std::vector<std::string> all;
    for (const SummaryRow& row : summarise(example.sweep, example.runs)) all.push_back(row.name);
    return all;
  };
  CHECK(names() == std::vector<std::string>{"float", "learned | 2.5: float longer",
                                            "learned | 2.5: uniform 2",
                                            "learned | 2.5: uniform 2 ends8",
                                            "learned | 2.5: random 1", "learned | 2.5"});
  const std::vector<SummaryRow> rows = summarise(example.sweep, example.runs);
  CHECK(rows[1].kind == RowKind::full);
  CHECK(rows[2].kind == RowKind::uniform);
  CHECK(rows[3].kind == RowKind::other);
  CHECK_FALSE(rows[5].over_line);  // no uniform row above it
  example.sweep.rows[2].all_arms = false;
  CHECK(names() == std::vector<std::string>{"float", "learned | 2.5"});
}

TEST_CASE("summary: uniform rows of another float network are no neighbours") {
  Example example;
  example.sweep.rows[2].recipe.model = "mlp";
  const std::vector<SummaryRow> rows = summarise(example.sweep, example.runs);
  CHECK(rows[0].name == "float 1");
  CHECK(rows[1].name == "float 2");
  CHECK_FALSE(rows.back().over_line);
}

TEST_CASE("summary: uniform rows with other codes are no neighbours") {
  Example example;
  example.sweep.rows[1].recipe.weight.narrow_range = false;
  CHECK_FALSE(summarise(example.sweep, example.runs).back().over_line);
  example.sweep.rows[0].recipe.weight.narrow_range = false;
  example.sweep.rows[2].recipe.weight.narrow_range = false;
  CHECK(summarise(example.sweep, example.runs).back().over_line);
  example.sweep.rows[2].recipe.sum_bits = 8;
  CHECK_FALSE(summarise(example.sweep, example.runs).back().over_line);
}

TEST_CASE("summary: as JSON, as Markdown, as a page and as a drawing") {
  Example example;
  example.runs[0].result["verified"] = false;
  Summary summary = example.summary();
  summary.failures.push_back({{"row", "<script>"}, {"seed", 4}, {"error", "[x] \"no\""}});
  const test::TemporaryDirectory folder;
  write_sweep(summary, folder.path());
  const auto json = ordered_json::parse(read_text_file(folder / "sweep.json", 1 << 20));
  const ordered_json& learned = json["rows"][3];
  CHECK(learned["name"] == "learned | 2.5");
  CHECK(learned["kind"] == "learned");
  CHECK(learned["seeds"] == ordered_json{1, 2, 3});
  CHECK(learned["accuracy"]["values"] == ordered_json{90.5, 90.25, 90.0});
  CHECK(learned["accuracy"]["deviation"] == 0.25);
  CHECK(learned["bytes"]["mean"] == 1500);
  CHECK(learned["fractional"] == 89.75);
  CHECK(learned["searched"] == 89.5);
  CHECK(learned["rounded"] == 88.25);
  CHECK(json["rows"][0]["rounded"].is_null());
  CHECK(learned["over_line"]["below"] == "uniform 2");
  CHECK(learned["command"] == "fraqat sweep example --rows 'learned | 2.5'");
  CHECK(learned["verified"] == true);
  CHECK(json["rows"][1]["verified"] == false);
  CHECK(json["rows"][1]["accuracy"]["mean"] == 89);
  CHECK_FALSE(json["rows"][0].contains("over_line"));
  CHECK(json["runs"] == ordered_json{{"finished", 9}, {"of", 9}});

  const std::string table = read_text_file(folder / "table.md", 1 << 20);
  CHECK(has(table,
            "| learned \\| 2.5 | 1 2 3 | 92.00 | 2.500 | 2.500 | 1,500 | 89.75 | 89.50 | 88.25 | "
            "90.25 \u00B1 0.25 | "
            "+0.17 \u00B1 0.88 | lc101234 lc201234 lc301234 |\n"));
  CHECK(has(table, "89.00 \u00B1 1.00 NOT verified"));
  CHECK(has(table, "`fraqat sweep example`"));

  const std::string command = "python3 " + test::tests_folder() + "/models/read_report.py '" +
                              (folder / "sweep.html") +
                              "' && python3 -c \"import sys, "
                              "xml.dom.minidom as m; m.parse(sys.argv[1])\" '" +
                              (folder / "front.svg") + "'";
  CHECK(std::system((command + " >/dev/null").c_str()) == 0);
  const std::string html = read_text_file(folder / "sweep.html", 1 << 20);
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "nan"));
  const std::string svg = read_text_file(folder / "front.svg", 1 << 20);
  for (const char* part :
       {">uniform 2<", ">uniform 3<", ">learned | 2.5<", "prefers-color-scheme", "class=\"spread"})
    CHECK(has(svg, part));
}

TEST_CASE("summary: a close-up leaves out what is far larger than what was learned") {
  Example example;
  CHECK(close_up(example.summary()).empty());  // uniform 3 is the next above learned
  example.sweep.rows.reserve(4);
  example.sweep.rows.push_back(row_of("uniform 8", "fixed", 8));
  for (std::size_t i = 0; i < example.runs.size(); ++i)
    example.runs[i].row = &example.sweep.rows[i / 3];
  example.add(3, 1, {arm("float", 92, 9000, 32), arm("learned", 92, 5000, 8)});
  CHECK(has(sweep_html(example.summary()), "<h3>Close up</h3>"));
  const std::string zoom = close_up(example.summary());
  for (const char* there : {">uniform 2<", ">uniform 3<", ">learned | 2.5<"})
    CHECK(has(zoom, there));
  for (const char* absent : {">uniform 8<", ">float<"}) CHECK_FALSE(has(zoom, absent));
}

TEST_CASE("summary: of nothing") {
  const Example example;
  Summary summary{
      "example", "lenet5-fashion", "fraqat sweep example", 9, 0, summarise(example.sweep, {})};
  const test::TemporaryDirectory folder;
  write_sweep(summary, folder.path());
  CHECK_FALSE(std::filesystem::exists(folder / "front.svg"));
  CHECK(has(read_text_file(folder / "sweep.html", 1 << 20), "0 of 9 runs finished"));
}

}  // namespace fraqat::sweep_summary_test
