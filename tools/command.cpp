#include "tools/command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "core/parallel.hpp"

namespace fraqat::tools {

Option Option::type(const std::string& name) const { return Option(option_->type_name(name)); }

Option Option::required() const { return Option(option_->required()); }

Option Option::repeatable() const { return Option(option_->expected(1)->take_all()); }

Option Option::one_of(std::vector<std::string> values, bool shown) const {
  const CLI::Validator check = CLI::IsMember(std::move(values));
  return Option(option_->check(shown ? check : check.description("")));
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
      ->check(CLI::NonNegativeNumber.description(""))
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
  return Option(app_.add_option(name, to, text));
}

Option Command::option(const std::string& name, std::vector<std::string>& to,
                       const std::string& text) {
  return Option(app_.add_option(name, to, text));
}

Option Command::option(const std::string& name, int& to, int least, int most,
                       const std::string& text) {
  return Option(app_.add_option(name, to, text)->check(CLI::Range(least, most).description("")));
}

void Command::limit(Index& to) {
  app_.add_option("--limit", to, "Only the first N test samples")
      ->check(CLI::NonNegativeNumber.description(""))
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
  // File names are bytes: those that are not UTF-8 must not end the program.
  std::cout << object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

std::vector<std::string>& arguments() {
  static std::vector<std::string> all;
  return all;
}

}  // namespace fraqat::tools
