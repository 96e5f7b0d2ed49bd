#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

/// The command line `fraqat`: a file for each command, which reads its options
/// and calls the library.  A command's results go to stdout, all else to stderr.
namespace fraqat::tools {

/// The options that every command has.
struct Common {
  virtual ~Common() = default;

  bool json = false;   // one object on stdout, and nothing else there
  bool quiet = false;  // no progress on stderr
  int threads = 0;     // 0: as many as OMP_NUM_THREADS or the machine has
  std::optional<std::uint64_t> seed;
};

/// Adds the command `name`, which does `run` and ends with the exit code it
/// returns; `options`, derived from Common, live as long as the program.
CLI::App& add_command(CLI::App& program, const std::string& name, const std::string& description,
                      const std::shared_ptr<Common>& options, std::function<int()> run);

/// --data-dir, for commands that use data.
void add_data_dir(CLI::App& command, std::string& data_dir);

/// --weights, for commands that can start from PyTorch's weights.
CLI::Option* add_weights(CLI::App& command, std::string& weights);

/// The object of --json.
void print_json(const nlohmann::ordered_json& object);

/// The whole command line, for run.json and for running it again.
std::vector<std::string>& arguments();

// In the order a user meets them; the list is in main.cpp.
void add_doctor(CLI::App& program);
void add_data(CLI::App& program);
void add_train(CLI::App& program);
void add_report(CLI::App& program);
void add_inspect(CLI::App& program);
void add_eval(CLI::App& program);
void add_verify(CLI::App& program);
void add_predict(CLI::App& program);
void add_export(CLI::App& program);
void add_bench(CLI::App& program);
void add_gradcheck(CLI::App& program);

}  // namespace fraqat::tools
