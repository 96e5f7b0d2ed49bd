#include "tools/command.hpp"

#include <iostream>

#include "core/parallel.hpp"

namespace fraqat::tools {

CLI::App& add_command(CLI::App& program, const std::string& name, const std::string& description,
                      const std::shared_ptr<Common>& options, std::function<int()> run) {
  constexpr int most_threads = 1024;
  CLI::App& command = *program.add_subcommand(name, description);
  command.add_flag("--json", options->json, "Print one JSON object on stdout, and nothing else");
  command.add_flag("--quiet", options->quiet, "No progress on stderr");
  command.add_option("--threads", options->threads, "Threads; results are the same for any number")
      ->check(CLI::Range(1, most_threads).description(""))
      ->type_name("N");
  command.add_option("--seed", options->seed, "Seed of all random numbers")
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("N");
  command.callback([options, run = std::move(run)] {
    if (options->threads > 0) set_thread_count(options->threads);
    if (const int code = run(); code != 0) throw CLI::RuntimeError(code);
  });
  return command;
}

void add_data_dir(CLI::App& command, std::string& data_dir) {
  command
      .add_option("--data-dir", data_dir,
                  "Folder with data sets, looked into before $FRAQAT_DATA, the cache and "
                  "/usr/share/datasets")
      ->type_name("DIR");
}

CLI::Option* add_weights(CLI::App& command, std::string& weights) {
  return command
      .add_option("--weights", weights,
                  "Weights of PyTorch, saved as safetensors: the float network")
      ->type_name("FILE");
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
