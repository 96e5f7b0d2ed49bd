#include "data/registry.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "core/error.hpp"
#include "tools/command.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct DataOptions final : Common {
  std::string action, name, data_dir;
};

Json to_json(const data::Location& location) {
  Json object = {{"name", location.name}, {"found", location.found}};
  if (location.found && !location.directory.empty()) object["directory"] = location.directory;
  if (!location.found) {
    object["reason"] = location.reason;
    object["how_to_get"] = location.how_to_get;
  }
  Json files = Json::array();
  for (const data::FileStatus& file : location.files) {
    Json one = {{"path", file.path}, {"bytes", file.bytes}};
    if (file.check != data::FileStatus::Check::none)
      one["good"] = file.check == data::FileStatus::Check::good;
    if (!file.reason.empty()) one["reason"] = file.reason;
    files.push_back(std::move(one));
  }
  object["files"] = std::move(files);
  return object;
}

int list(const DataOptions& options) {
  const std::vector<data::Location> locations =
      options.name.empty() ? data::list(options.data_dir)
                           : std::vector{data::find(options.name, options.data_dir)};
  if (options.json) {
    Json sets = Json::array();
    for (const data::Location& location : locations) sets.push_back(to_json(location));
    print_json({{"sets", sets}});
    return 0;
  }
  for (const data::Location& location : locations) {
    constexpr std::size_t width = 16;
    const std::string space(width - std::min(width, location.name.size()), ' ');
    std::cout << styled(location.name, Style::bold, STDOUT_FILENO) << space;
    if (location.found)
      std::cout << (location.directory.empty() ? "built in" : location.directory) << '\n';
    else
      std::cout << "not found: " << location.reason << '\n'
                << std::string(width, ' ') << location.how_to_get << '\n';
  }
  return 0;
}

bool good(const data::Location& location) {
  for (const data::FileStatus& file : location.files)
    if (file.check == data::FileStatus::Check::bad) return false;
  return location.found;
}

/// Exit code 3 if a file is not the published one or, asked for by name, missing.
int verify(const DataOptions& options) {
  constexpr int bad_input = static_cast<int>(Error::Kind::input);
  const bool all = options.name.empty();
  Json sets = Json::array();
  bool fine = true;
  for (const std::string& name : all ? data::names() : std::vector{options.name}) {
    const data::Location location = data::verify(name, options.data_dir);
    const bool skipped = all && !location.found;
    fine = fine && (skipped || good(location));
    sets.push_back(to_json(location));
    if (options.json) continue;
    std::cout << name << ": "
              << (!location.found  ? "not found: " + location.reason + "; " + location.how_to_get
                  : good(location) ? std::string("good")
                                   : std::string("damaged"))
              << '\n';
    for (const data::FileStatus& file : location.files)
      std::cout << "  " << file.path << ": "
                << (file.check == data::FileStatus::Check::bad ? file.reason : "good") << '\n';
  }
  if (options.json) print_json({{"good", fine}, {"sets", sets}});
  return fine ? 0 : bad_input;
}

int fetch(const DataOptions& options) {
  const std::string name = options.name.empty() ? "fashion-mnist" : options.name;
  const data::SetInfo& info = data::info(name);
  fail(Error::Kind::failed, "[data] downloading is not built into this program; for ", name, ": ",
       info.how_to_get);
}

}  // namespace

void add_data(CLI::App& program) {
  const auto options = std::make_shared<DataOptions>();
  Command command(program, "data", "Say which data sets are found where, and check them", options,
                  [options] {
                    if (options->action == "list") return list(*options);
                    return options->action == "verify" ? verify(*options) : fetch(*options);
                  });
  command.option("ACTION", options->action, "list, verify or fetch")
      .required()
      .one_of({"list", "verify", "fetch"}, true);
  command.option("NAME", options->name, "Data set; all unless given");
  command.data_dir(options->data_dir);
}

}  // namespace fraqat::tools
