// The program `fraqat-gradcheck`: runs the tests of every op with Real = double
// and shows how much of each gradient they compare, and how closely.

#include <doctest/doctest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "tools/proofs.hpp"

namespace fraqat::tools {
namespace {

struct Options {
  std::vector<std::string> ops;
  bool json = false, quiet = false;
  int threads = 0;
};

// Any failed test of an op, not of its gradient alone, counts against it.
struct Failures final : doctest::IReporter {
  explicit Failures(const doctest::ContextOptions&) {}

  void test_case_start(const doctest::TestCaseData& test) override { name_ = test.m_name; }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    if (stats.failure_flags) proofs()[name_.substr(0, name_.find(':'))].failed = true;
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  std::string name_;
};

REGISTER_LISTENER("failures", 1, Failures);

// The lists op_names and quant_op_names of the build: "add,avg_pool2d,...".
std::vector<std::string> known_ops() { return CLI::detail::split(FRAQAT_OPS, ','); }

void check_names(const std::vector<std::string>& ops) {
  const std::vector<std::string> known = known_ops();
  for (const std::string& op : ops)
    check_usage(std::find(known.begin(), known.end(), op) != known.end(),
                "[gradcheck] no such op: got ", op, "; expected one of ",
                CLI::detail::join(known, ", "));
}

// Runs the tests of `ops`, or all; what doctest has to say goes to stderr.
void run_tests(const Options& options) {
  doctest::Context context;
  context.setCout(&std::cerr);
  context.setOption("minimal", true);
  context.setOption("quiet", options.quiet);
  for (const std::string& op : options.ops) context.addFilter("test-case", (op + ":*").c_str());
  context.run();
}

bool proven(const Proof& proof) { return proof.compared > 0 && !proof.failed; }

void print_json(const std::vector<std::string>& ops, bool ok) {
  nlohmann::ordered_json report = {{"ok", ok}, {"ops", nlohmann::ordered_json::array()}};
  for (const std::string& op : ops) {
    const Proof& proof = proofs()[op];
    report["ops"].push_back({{"op", op},
                             {"elements_compared", proof.compared},
                             {"worst_error", proof.worst},
                             {"ok", proven(proof)}});
  }
  std::cout << report.dump() << '\n';
}

void print_table(const std::vector<std::string>& ops) {
  std::size_t width = 2;
  for (const std::string& op : ops) width = std::max(width, op.size());
  const auto row = [&](const auto& op, const auto& compared, const auto& worst, const auto& ok) {
    std::cout << std::left << std::setw(static_cast<int>(width)) << op << std::right
              << std::setw(19) << compared << std::setw(13) << worst << "  " << ok << '\n';
  };
  row("op", "elements compared", "worst error", "ok");
  std::cout << std::scientific << std::setprecision(1);
  for (const std::string& op : ops) {
    const Proof& proof = proofs()[op];
    row(op, proof.compared, proof.worst, proven(proof) ? "yes" : "NO");
  }
}

int gradcheck(const Options& options) {
  check_names(options.ops);
  if (options.threads > 0) set_thread_count(options.threads);
  run_tests(options);
  const std::vector<std::string> ops = options.ops.empty() ? known_ops() : options.ops;
  const bool ok =
      std::all_of(ops.begin(), ops.end(), [](const auto& op) { return proven(proofs()[op]); });
  if (options.json)
    print_json(ops, ok);
  else if (!options.quiet)
    print_table(ops);
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace fraqat::tools

int main(int argc, char** argv) {
  fraqat::tools::Options options;
  CLI::App app("Proves the gradient of every operator, in double", "fraqat-gradcheck");
  app.add_option("--op", options.ops, "Only this operator (may be given several times)");
  app.add_flag("--json", options.json, "One JSON object on stdout");
  app.add_flag("--quiet", options.quiet, "No table: the exit code is the answer");
  app.add_option("--threads", options.threads, "Threads to use")->check(CLI::PositiveNumber);
  app.add_option("--seed", fraqat::tools::seed_shift(), "Other random inputs");
  try {
    app.parse(argc, argv);
    return fraqat::tools::gradcheck(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const fraqat::Error& error) {
    std::cerr << error.what() << '\n';
    return error.exit_code();
  }
}
