#include "tools/command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <iostream>
#include <limits>

#include "core/parallel.hpp"
#include "core/text.hpp"
#include "models/run/json_text.hpp"

namespace fraqat::tools {
namespace {

/// A check whose complaint has the form of all errors; not shown by --help.
CLI::Validator expecting(const std::string& what, const std::function<bool(std::string_view)>& is) {
  return CLI::Validator(
      [what, is](const std::string& value) {
        return is(value) ? std::string() : "got " + in_quotes(value) + "; expected " + what;
      },
      "");
}

CLI::Validator whole(std::uint64_t least, std::uint64_t most, const std::string& what) {
  return expecting(what, [least, most](std::string_view value) {
    std::uint64_t number = 0;
    const char* end = value.data() + value.size();
    const auto [next, error] = std::from_chars(value.data(), end, number);
    return error == std::errc() && next == end && number >= least && number <= most;
  });
}

}  // namespace

std::string one_of_text(const std::vector<std::string>& values) {
  std::string text = "one of ";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i ? ", " : "") + values[i];
  return text;
}

Option Option::type(const std::string& name) const { return Option(option_->type_name(name)); }

Option Option::required() const { return Option(option_->required()); }

Option Option::repeatable() const { return Option(option_->expected(1)->take_all()); }

Option Option::one_of(std::vector<std::string> values, bool shown) const {
  CLI::Validator check = expecting(one_of_text(values), [values](std::string_view value) {
    return std::find(values.begin(), values.end(), value) != values.end();
  });
  if (shown) check.description(CLI::IsMember(values).get_description());
  return Option(option_->check(check));
}

Option Option::excludes(const Option& other) const {
  return Option(option_->excludes(other.option_));
}

Command::Command(CLI::App& program, const std::string& name, const std::string& text,
                 const std::shared_ptr<Common>& common, std::function<int()> run)
    : app_(*program.add_subcommand(name, text)) {
  constexpr int most_threads = 1024;
  flag("--json", common->json, "Print one JSON object on stdout, and nothing else");
  flag("--quiet", common->quiet, "No progress on stderr");
  option("--threads", common->threads, 1, most_threads,
         "Threads; results are the same for any number")
      .type("N");
  app_.add_option("--seed", common->seed, "Seed of all random numbers")
      ->check(
          whole(0, std::numeric_limits<std::int64_t>::max(), "a whole number from 0 to 2^63 - 1"))
      ->type_name("N");
  app_.callback([common, run = std::move(run)] {
    if (common->threads > 0) set_thread_count(common->threads);
    if (const int code = run(); code != 0) throw CLI::RuntimeError(code);
  });
}

Option Command::flag(const std::string& name, bool& to, const std::string& text) {
  return Option(app_.add_flag(name, to, text));
}

Option Command::option(const std::string& name, std::string& to, const std::string& text) {
  // A variable that a script has not set must not be taken for an option that was not given.
  return Option(
      app_.add_option(name, to, text)->check(expecting("some text", [](std::string_view value) {
        return !value.empty();
      })));
}

Option Command::option(const std::string& name, std::vector<std::string>& to,
                       const std::string& text) {
  return Option(app_.add_option(name, to, text));
}

Option Command::option(const std::string& name, int& to, int least, int most,
                       const std::string& text) {
  const std::string what =
      "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  return Option(app_.add_option(name, to, text)
                    ->check(whole(static_cast<std::uint64_t>(least),
                                  static_cast<std::uint64_t>(most), what)));
}

void Command::limit(Index& to) {
  app_.add_option("--limit", to, "Only the first N test samples; 0: all")
      ->check(whole(0, std::numeric_limits<Index>::max(), "a whole number, 0 or more"))
      ->type_name("N");
}

void Command::data_dir(std::string& to) {
  option("--data-dir", to,
         "Folder with data sets, looked into before $FRAQAT_DATA, the cache and "
         "/usr/share/datasets")
      .type("DIR");
}

Option Command::weights(std::string& to) {
  return option("--weights", to, "Weights of PyTorch, saved as safetensors: the float network")
      .type("FILE");
}

Option Command::operator[](const std::string& name) const { return Option(app_.get_option(name)); }

CLI::App& add_group(CLI::App& program, const std::string& name, const std::string& text) {
  CLI::App& group = *program.add_subcommand(name, text);
  group.require_subcommand(1);
  return group;
}

void print_json(const nlohmann::ordered_json& object) {
  std::cout << run::json_text(object) << '\n';
}

std::vector<std::string>& arguments() {
  static std::vector<std::string> all;
  return all;
}

}  // namespace fraqat::tools
