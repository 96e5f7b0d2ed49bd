#include "models/run/report.hpp"

#include <iostream>

#include "core/file.hpp"
#include "models/run/report_data.hpp"
#include "tools/command.hpp"
#include "tools/summary.hpp"

namespace fraqat::tools {
namespace {

struct ReportOptions final : Common {
  std::vector<std::string> runs;
  std::string out;
};

int report(const ReportOptions& options) {
  const std::vector<std::filesystem::path> runs(options.runs.begin(), options.runs.end());
  const std::string html = run::report_html(runs);
  const std::string path =
      options.out.empty() ? (runs.front() / "report.html").string() : options.out;
  write_file_atomically(path, html);
  if (options.json) {
    print_json({{"path", path}, {"bytes", html.size()}, {"runs", options.runs}});
    return 0;
  }
  const run::RunData first = run::read_run(runs.front());
  if (runs.size() == 1 && options.out.empty() && first.finished())
    print_summary(first.json, runs.front());
  else
    std::cout << path << '\n';
  return 0;
}

}  // namespace

void add_report(CLI::App& program) {
  const auto options = std::make_shared<ReportOptions>();
  Command command(program, "report", "Draw runs as one self-contained HTML page", options,
                  [options] { return report(*options); });
  command.option("RUN", options->runs, "Run folders").required();
  command.option("--out", options->out, "The page; RUN/report.html of the first unless given")
      .type("FILE");
}

}  // namespace fraqat::tools
