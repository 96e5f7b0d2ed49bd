#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

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

/// "one of train, eval, report", for what stands after "expected".
std::string one_of_text(const std::vector<std::string>& values);

/// One option of a command.  CLI11 reads the command line; its templates are slow
/// to compile, so that command.cpp and main.cpp alone include it.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  /// What --help calls the value.
  Option type(const std::string& name) const;
  Option required() const;
  /// Each occurrence takes one value, and all of them count.
  Option repeatable() const;
  /// `shown`: --help lists the values; else the option's text does.
  Option one_of(std::vector<std::string> values, bool shown = false) const;
  Option excludes(const Option& other) const;

 private:
  CLI::Option* option_;
};

/// The command `name`, which does `run` and ends with the exit code it returns;
/// `common`, the options that --json and its like set, lives as long as the program.
class Command {
 public:
  Command(CLI::App& program, const std::string& name, const std::string& text,
          const std::shared_ptr<Common>& common, std::function<int()> run);

  Option flag(const std::string& name, bool& to, const std::string& text);
  /// An option --name, or an argument NAME.
  Option option(const std::string& name, std::string& to, const std::string& text);
  Option option(const std::string& name, std::vector<std::string>& to, const std::string& text);
  /// Whole numbers from least to most.
  Option option(const std::string& name, int& to, int least, int most, const std::string& text);
  /// Only the first N of the test samples.
  void limit(Index& to);
  /// --data-dir, for commands that use data.
  void data_dir(std::string& to);
  /// --weights, for commands that can start from PyTorch's weights.
  Option weights(std::string& to);
  Option operator[](const std::string& name) const;

 private:
  CLI::App& app_;
};

/// A command `name` that only has commands of its own.
CLI::App& add_group(CLI::App& program, const std::string& name, const std::string& text);

/// The object of --json.
void print_json(const nlohmann::ordered_json& object);

/// The whole command line, for run.json and for running it again.
std::vector<std::string>& arguments();

// In the order a user meets them; the list is in main.cpp.
void add_doctor(CLI::App& program);
void add_data(CLI::App& program);
void add_train(CLI::App& program);
void add_quantize(CLI::App& program);
void add_sweep(CLI::App& program);
void add_report(CLI::App& program);
void add_inspect(CLI::App& program);
void add_eval(CLI::App& program);
void add_verify(CLI::App& program);
void add_predict(CLI::App& program);
void add_export(CLI::App& program);
void add_bench(CLI::App& program);
void add_gradcheck(CLI::App& program);

}  // namespace fraqat::tools
