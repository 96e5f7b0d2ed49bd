#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "core/blas.hpp"
#include "core/file.hpp"
#include "core/isa.hpp"
#include "core/parallel.hpp"
#include "data/registry.hpp"
#include "tools/command.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct DoctorOptions final : Common {
  std::string data_dir;
};

/// One thing looked at: what it is, and what is wrong with it, if anything is.
struct Finding {
  std::string key, title, value;
  std::string trouble = {};
  Json json = value;  // what --json says instead, where a program wants a number
};

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// File names of the OpenMP runtimes in this process.
std::set<std::string> openmp_runtimes() {
  std::set<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::string name = fs::path(line.substr(line.find_last_of(' ') + 1)).filename().string();
    for (const char* runtime : {"libgomp", "libomp", "libiomp"})
      if (name.starts_with(runtime)) found.insert(name);
  }
  return found;
}

Finding openmp() {
  const std::set<std::string> runtimes = openmp_runtimes();
  std::string names;
  for (const std::string& name : runtimes) names += (names.empty() ? "" : ", ") + name;
  Finding finding{"openmp", "OpenMP", names.empty() ? "none" : names};
  if (runtimes.size() != 1)
    finding.trouble = "got " + std::to_string(runtimes.size()) +
                      " runtimes; expected exactly one, or threads get in each other's way";
  return finding;
}

Finding blas_library() {
  Finding finding{"blas", "BLAS", blas::description()};
  if (!blas::uses_openmp())
    finding.trouble = "not the OpenMP flavour; try apt install libopenblas-openmp-dev";
  return finding;
}

Finding threads() {
  const int used = thread_count(), usable = usable_processors();
  return {"threads",
          "threads",
          std::to_string(used) + " on " + std::to_string(usable) + " processors" +
              (used > usable ? " (more than there are: slow)" : ""),
          {},
          used};
}

/// Whether a run could leave its folder in the working directory.
Finding runs_folder() {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  const fs::path folder = fs::is_directory(here / "runs", error) ? here / "runs" : here;
  Finding finding{"runs", "run folders", (here / "runs").string()};
  const std::string probe = (folder / (".fraqat-doctor-" + std::to_string(::getpid()))).string();
  try {
    write_file_atomically(probe, "probe");
  } catch (const Error& problem) {
    finding.trouble = problem.what();
  }
  fs::remove(probe, error);
  return finding;
}

Finding compiler() {
#ifdef __clang__
  return {"compiler", "compiler", "clang " __clang_version__};
#else
  return {"compiler", "compiler", "g++ " __VERSION__};
#endif
}

void add_data_findings(std::vector<Finding>& findings, const std::string& data_dir) {
  for (const data::Location& location : data::list(data_dir)) {
    std::string value = "not found; " + location.how_to_get;
    if (location.found) value = location.directory.empty() ? "built in" : location.directory;
    findings.push_back({"data." + location.name, location.name, value});
  }
}

int doctor(const DoctorOptions& options) {
  std::vector<Finding> findings = {{"version", "fraqat", FRAQAT_VERSION},
                                   compiler(),
                                   {"cpu", "processor", processor()},
                                   {"isa", "kernels", std::string(name(active_isa()))},
                                   blas_library(),
                                   openmp(),
                                   threads(),
                                   runs_folder()};
  add_data_findings(findings, options.data_dir);
  Json object;
  Table table({{"", Table::Align::left}, {"", Table::Align::left}});
  Json troubles = Json::array();
  for (const Finding& finding : findings) {
    object[finding.key] = finding.json;
    if (!finding.trouble.empty()) troubles.push_back(finding.title + ": " + finding.trouble);
    const bool bad = !finding.trouble.empty();
    table.row({finding.title, finding.value + (bad ? "  <- " + finding.trouble : "")},
              bad ? Style::bad : Style::plain);
  }
  object["troubles"] = troubles;
  if (options.json)
    print_json(object);
  else
    std::cout << table.text() << '\n'
              << (troubles.empty() ? "everything is in order"
                                   : "wrong: " + std::to_string(troubles.size()))
              << '\n';
  return troubles.empty() ? 0 : 1;
}

}  // namespace

void add_doctor(CLI::App& program) {
  const auto options = std::make_shared<DoctorOptions>();
  Command command(program, "doctor", "Look at this machine: processor, BLAS, threads, data",
                  options, [options] { return doctor(*options); });
  command.data_dir(options->data_dir);
}

}  // namespace fraqat::tools
