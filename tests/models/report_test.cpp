#include "models/run/report.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "models/run/chart.hpp"
#include "models/run/report_data.hpp"
#include "tests/models/report_sample.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::report_test {

using namespace fraqat::run;
using test::TemporaryDirectory;

namespace {

using Paths = std::vector<std::filesystem::path>;

std::string report(const std::string& folder) { return report_html(Paths{folder}); }

/// The text of the Error of kind input that reporting `folder` must throw.
std::string refusal(const std::string& folder) {
  try {
    report(folder);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::input);
    return error.what();
  }
  FAIL("no error");
  return {};
}

/// What the independent reader (python3, html.parser) says of the page.
int structure(const TemporaryDirectory& folder, const std::vector<std::string>& pages) {
  std::string command = "python3 " + test::tests_folder() + "/models/read_report.py";
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const std::string page = folder / ("report-" + std::to_string(i) + ".html");
    write_file_atomically(page, pages[i]);
    command += " '" + page + "'";
  }
  const std::string said = folder / "structure.txt";
  const int status = std::system((command + " >'" + said + "' 2>&1").c_str());
  if (status != 0) MESSAGE(read_text_file(said, 1 << 20));
  return status;
}

int structure(const TemporaryDirectory& folder, const std::string& html) {
  return structure(folder, std::vector{html});
}

bool has(const std::string& html, std::string_view part) { return html.find(part) != html.npos; }

}  // namespace

TEST_CASE("a report is one well-formed page that holds every series and asks the network nothing") {
  const TemporaryDirectory folder;
  test::write_sample_run(folder / "run", "lenet5-fashion");
  const std::string html = report(folder / "run");
  CHECK(structure(folder, html) == 0);
  for (const char* part :
       {"<h1>lenet5-fashion</h1>",
        "2026-05-04",
        "Accuracy against size",
        ">uniform-2-ends8<",
        ">learned<",
        ">average<",
        ">budget 2.50<",
        "bytes, budget: 19\u202F400 at most",
        "Price of a byte",
        "on the way: 90.50 % with fractional widths, 90.25 % with the nearest whole ones, "
        "88.50 % rounded, 91.00 % in the end.",
        ">conv1<",
        ">relu4<",
        "5.31 \u2192 5",
        "verified; mismatches: 0; predictions that differ: 3.",
        "246\u202F824",
        "12.8 \u00D7",
        "\u22120.60",
        "finetune, epoch 4: 90.",
        "batch = 128",
        "9f86d081884c7d65",
        "OpenBLAS 0.3.21 Haswell",
        "prefers-color-scheme:dark"}) {
    INFO(part);
    CHECK(has(html, part));
  }
  for (const char* part : {"nan", "inf\"", "<script"}) CHECK_FALSE(has(html, part));
}

TEST_CASE("the verdict is that of the verification, whatever differs") {
  const TemporaryDirectory folder;
  test::write_sample_run(folder / "run", "lenet5-fashion");
  const struct {
    int mismatches;
    bool verified;
    const char *box, *words;
  } cases[] = {
      {0, true, "verdict good", "verified; mismatches: 0; predictions that differ: 3."},
      {0, false, "verdict bad", "verification failed; mismatches: 0; predictions that differ: 3."},
      {7, false, "verdict bad", "verification failed; mismatches: 7; predictions that differ: 3."},
      {7, true, "verdict bad", "verification failed; mismatches: 7"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.mismatches);
    CAPTURE(one.verified);
    auto json = test::sample_result("lenet5-fashion");
    json["mismatches"] = one.mismatches;
    json["verified"] = one.verified;
    write_file_atomically(folder / "run/run.json", json.dump());
    const std::string html = report(folder / "run");
    CHECK(has(html, one.box));
    CHECK(has(html, std::string("<b>") + one.words));
    const std::string both = report_html(Paths{folder / "run", folder / "run"});
    CHECK(has(both, one.verified ? "<td>yes</td>" : "<td>NO</td>"));
  }
  auto json = test::sample_result("lenet5-fashion");
  json.erase("verified");
  write_file_atomically(folder / "run/run.json", json.dump());
  CHECK(has(report(folder / "run"), "<p class=\"card verdict\"><b>not verified</b>"));
}

TEST_CASE("several runs share a table and a plot; runs of one name are told apart") {
  const TemporaryDirectory folder;
  test::write_sample_run(folder / "a", "lenet5-fashion");
  test::write_sample_run(folder / "b", "lenet5-fashion", 0.04);
  test::write_sample_run(folder / "c", "other", -0.03);
  const std::string html = report_html(Paths{folder / "a", folder / "b", folder / "c"});
  CHECK(structure(folder, html) == 0);
  CHECK(has(html, "<h1>3 runs</h1>"));
  CHECK(has(html, "<h2>a</h2>"));
  CHECK(has(html, "<h2>b</h2>"));
  CHECK(has(html, "<h2>other</h2>"));
}

TEST_CASE("markup in names does not run") {
  const TemporaryDirectory folder;
  const std::string hostile = "</title><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";
  test::write_sample_run(folder / "run", hostile);
  auto json = test::sample_result(hostile);
  json["arms"][1]["name"] = hostile;
  json["tensors"][1]["name"] = hostile;
  json["cpu"] = hostile;
  write_file_atomically(folder / "run/run.json", json.dump());
  append_line(folder / "run/metrics.jsonl",
              R"({"phase": "</svg><script>", "epoch": 1, "bits": {"<script>.weight_q": 3}})");
  write_file_atomically(folder / "run/recipe.toml", "x = \"</pre><script>\xff\x01\"");
  const std::string html = report(folder / "run");
  CHECK(structure(folder, html) == 0);
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "<img"));
  CHECK(has(html, "&lt;/pre&gt;&lt;script&gt;\uFFFD\uFFFD"));
}

TEST_CASE("a run that is still going on, or holds next to nothing, has a report") {
  const TemporaryDirectory folder;
  test::write_sample_run(folder / "run", "lenet5-fashion");
  std::filesystem::remove(folder / "run/run.json");
  std::filesystem::remove(folder / "run/recipe.toml");
  const std::string going_on = report(folder / "run/");
  std::vector<std::string> pages = {going_on};
  CHECK(has(going_on, "<h1>run</h1>"));
  CHECK(has(going_on, "not finished"));

  std::filesystem::remove(folder / "run/metrics.jsonl");
  for (const char* text : {"{}", R"({"arms": [{}], "tensors": [{}], "mismatches": 3})",
                           R"({"arms": [{"name": "float", "accuracy": 1e308, "bytes": 1e308},
                                        {"name": "x", "accuracy": -1e308, "bytes": -1}]})"}) {
    write_file_atomically(folder / "run/run.json", std::string_view(text));
    pages.push_back(report(folder / "run"));
  }
  CHECK(structure(folder, pages) == 0);
}

TEST_CASE("final bits: levels by number, channels by mean and range") {
  const TemporaryDirectory folder;
  write_file_atomically(folder / "run.json", std::string_view(R"({"tensors": [
        {"name": "a.weight_q", "role": "weight", "elements": 9, "bits": 2.6666, "levels": 6},
        {"name": "b.weight_q", "role": "weight", "elements": 9, "bits": 3},
        {"name": "c.weight_q", "role": "weight", "elements": 9, "learned_bits": 2.4,
         "bits": 2.7142, "channel_bits": [2, 4, 2, 3]}]})"));
  const std::string html = report(folder.path());
  CHECK(structure(folder, html) == 0);
  CHECK(has(html, ">6 levels (2.67)<"));
  CHECK(has(html, "rounded to 6 levels (2.67), 9 elements"));
  CHECK(has(html, ">3<"));
  CHECK(has(html, ">2.40 \u2192 2.71 (2-4)<"));
  CHECK(has(html, "rounded to 2.71 (2-4) bits, 9 elements"));
}

TEST_CASE("a metrics line without a loss leaves a gap, not a number") {
  const TemporaryDirectory folder;
  write_file_atomically(folder / "metrics.jsonl",
                        std::string_view("{\"phase\": \"float\", \"epoch\": 1, \"loss\": 0.5}\n"
                                         "{\"phase\": \"float\", \"epoch\": 2, \"loss\": null}\n"
                                         "{\"phase\": \"float\", \"epoch\": 3, \"loss\": 0.25}\n"));
  const std::string html = report(folder.path());
  CHECK(structure(folder, html) == 0);
  CHECK_FALSE(has(html, "nan"));
}

TEST_CASE("baselines are drawn apart from the way to the learned network") {
  for (const char* phase : {"uniform-8", "uniform-4-ends8", "random-1", "float-longer"})
    CHECK(run::is_baseline(phase));
  for (const char* phase : {"float", "search", "finetune", "learned"})
    CHECK_FALSE(run::is_baseline(phase));
}

TEST_CASE("bad files are refused by name, line and key") {
  const TemporaryDirectory folder;
  CHECK(has(refusal(folder / "nowhere"), "no run in \"" + (folder / "nowhere") + "\""));
  const struct {
    const char *file, *text, *complaint;
  } cases[] = {
      {"metrics.jsonl", "{\"phase\": \"float\", \"epoch\": 1}\n{\"phase\": \"fl",
       "line 2 is no JSON"},
      {"metrics.jsonl", "\n\n[1]\n", "line 3 is no object: got array"},
      {"metrics.jsonl", "{\"phase\": \"float\"}\n", "line 1: no phase or no epoch"},
      {"metrics.jsonl", "{\"phase\": 7, \"epoch\": 1}\n", "line 1: phase is no text: got number"},
      {"metrics.jsonl", "{\"phase\": \"a\", \"epoch\": \"1\"}\n", "line 1: epoch is no number"},
      {"metrics.jsonl", "{\"phase\": \"a\", \"epoch\": 1, \"bits\": 3}\n", "bits is no object"},
      {"metrics.jsonl", "{\"phase\": \"a\", \"epoch\": 1, \"bits\": {\"x\": []}}\n",
       "line 1: bits.x is no number: got array"},
      {"metrics.jsonl", "{\"phase\": \"a\", \"epoch\": 1e999}\n", "line 1 is no JSON"},
      {"run.json", "", "line 1 is no JSON"},
      {"run.json", "{\n \"arms\": [\n  {\"name\": \"float\",\n", "line 4 is no JSON"},
      {"run.json", "{\n\n \"arms\": [}", "line 3 is no JSON"},
      {"run.json", "{\"recipe\": \"\xff\"}", "line 1 is no JSON"},
      {"run.json", "[]", "line 1 is no object: got array"},
      {"run.json", "{\"arms\": {}}", "arms is no list: got object"},
      {"run.json", "{\"arms\": [{}, 3]}", "arms[1] is no object: got number"},
      {"run.json", "{\"arms\": [{\"bytes\": \"9\"}]}", "arms[0].bytes is no number: got string"},
      {"run.json", "{\"tensors\": [{\"role\": 1}]}", "tensors[0].role is no text: got number"},
      {"run.json", "{\"tensors\": [{\"levels\": []}]}", "tensors[0].levels is no number"},
      {"run.json", "{\"tensors\": [{\"channel_bits\": 3}]}", "channel_bits is no list"},
      {"run.json", "{\"tensors\": [{\"channel_bits\": [3, \"4\"]}]}",
       "channel_bits has what is no number: got string"},
  };
  for (const auto& bad : cases) {
    const TemporaryDirectory run;
    write_file_atomically(run / bad.file, std::string_view(bad.text));
    const std::string text = refusal(run.path());
    INFO(text);
    CHECK(has(text, bad.complaint));
    CHECK(has(text, std::string(bad.file)));
  }
  const TemporaryDirectory run;  // deep nesting costs no stack
  write_file_atomically(run / "run.json", std::string(1000000, '['));
  CHECK(has(refusal(run.path()), "line 1 is no JSON"));
}

TEST_CASE("ticks are round numbers") {
  using Numbers = std::vector<double>;
  CHECK(ticks(0, 10, 5) == Numbers{0, 2, 4, 6, 8, 10});
  CHECK(ticks(0.5, 3.5, 10, true) == Numbers{1, 2, 3});
  CHECK(ticks(86.9, 91.6, 5) == Numbers{87, 88, 89, 90, 91});
  CHECK(ticks(3, 3, 5) == Numbers{3});
  CHECK(log_ticks(12000, 300000) == Numbers{20000, 50000, 100000, 200000});
  CHECK(log_ticks(1, 1e6).size() == 7);
  CHECK(tick_text(0.25, 0.05) == "0.25");
  CHECK(fixed(-0.001, 2) == "0.00");
  CHECK(grouped(1234567) == "1\u202F234\u202F567");
  CHECK(grouped(-123) == "-123");
}

}  // namespace fraqat::report_test
