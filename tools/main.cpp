#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>

#include "core/error.hpp"
#include "core/nearest.hpp"
#include "core/text.hpp"
#include "tools/command.hpp"
#include "tools/signals.hpp"

namespace fraqat::tools {
namespace {

constexpr int failed = static_cast<int>(Error::Kind::failed);
constexpr int usage = static_cast<int>(Error::Kind::usage);

constexpr auto hooks = {add_doctor, add_data,    add_train,    add_quantize, add_sweep,
                        add_report, add_inspect, add_eval,     add_verify,   add_predict,
                        add_export, add_bench,   add_gradcheck};

/// OpenBLAS reads its core type when it is loaded, so pinning the instruction
/// set (FRAQAT_ISA=avx2) needs one more start of the program.  That the variable
/// is set then, or that the user has set it, keeps this from going on forever.
void pin_blas(char** argv) {
  const char* isa = std::getenv("FRAQAT_ISA");
  if (!isa || std::string_view(isa) != "avx2" || std::getenv("OPENBLAS_CORETYPE")) return;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || ::setenv("OPENBLAS_CORETYPE", "Haswell", 0) != 0) return;
  ::execv(program.c_str(), argv);  // returns only if it could not
}

/// The error text in one line.
int complain(const std::string& text, int code) {
  std::cerr << text << '\n';
  return code;
}

std::vector<std::string> command_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

/// The first argument must be a command: CLI11 has no suggestions.
void check_command(CLI::App& program, const std::string& word) {
  const std::vector<std::string> names = command_names(program);
  if (word == "-h" || word == "--help" || word == "--version" ||
      std::find(names.begin(), names.end(), word) != names.end())
    return;
  check_usage(!word.starts_with('-'), "[fraqat] no command: got ", in_quotes(word),
              "; expected a command first; try fraqat --help");
  const std::string near = nearest(word, names);
  fail(Error::Kind::usage, "[fraqat] unknown command: got ", in_quotes(word), "; expected ",
       one_of_text(names), "; try ", near.empty() ? "fraqat --help" : "fraqat " + near);
}

/// What is wrong with the words after a command, and what was probably meant.
std::string extras_text(const CLI::App& command, const std::vector<std::string>& extras) {
  const std::string& word = extras.front();
  const bool plain = !word.starts_with('-');
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  const std::vector<std::string> commands = command_names(command);
  const std::string near = nearest(word.substr(0, word.find('=')), plain ? commands : names);
  const std::string kind = !plain ? "option" : commands.empty() ? "argument" : "command";
  const std::string expected = !plain             ? one_of_text(names)
                               : commands.empty() ? "no more"
                                                  : one_of_text(commands);
  return "unknown " + kind + ": got " + in_quotes(word) + "; expected " + expected + "; try " +
         (near.empty() ? "" : near + " or ");
}

/// CLI11's texts of options that are missing or exclude each other do not say what was got;
/// those of values are command.cpp's.
std::string parse_text(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error))
    return text + ": got none; expected one; try ";
  if (dynamic_cast<const CLI::ExcludesError*>(&error))
    return text + ": got both; expected one of them; try ";
  return text + "; try ";
}

int parse_failed(CLI::App& program, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::RuntimeError*>(&error)) return error.get_exit_code();
  if (error.get_exit_code() == 0) return program.exit(error);  // --help, --version
  std::string name = "fraqat", text = parse_text(error);
  const std::vector<std::string> extras = program.remaining(true);
  const CLI::App* command = &program;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  if (command != &program && !extras.empty()) text = extras_text(*command, extras);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return complain("[" + name + "] " + text + name + " --help", usage);
}

/// What stood in a buffer until now may meet a full disk.
int flushed(int code) {
  std::cout.flush();
  if (std::cout) return code;
  if (errno == EPIPE) return code ? code : failed;
  return complain("[fraqat] cannot write to standard output", failed);
}

int run(int argc, char** argv) {
  CLI::App program("Trains networks with fractional bit-widths and leaves integer models.",
                   "fraqat");
  program.set_version_flag("--version", "fraqat " FRAQAT_VERSION);
  program.require_subcommand(1);
  for (const auto& hook : hooks) hook(program);
  arguments().assign(argv, argv + argc);
  if (argc == 1) return complain(program.help(), usage);
  check_command(program, argv[1]);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parse_failed(program, error);
  }
  return 0;
}

}  // namespace
}  // namespace fraqat::tools

int main(int argc, char** argv) {
  using namespace fraqat;
  tools::pin_blas(argv);
  tools::ignore_write_signals();
  try {
    return tools::flushed(tools::run(argc, argv));
  } catch (const Error& error) {
    return tools::complain(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return tools::complain("[fraqat] out of memory", tools::failed);
  } catch (const std::exception& error) {
    return tools::complain(std::string("[fraqat] ") + error.what(), tools::failed);
  }
}
