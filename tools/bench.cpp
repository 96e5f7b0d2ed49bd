#include "tools/bench.hpp"

#include <algorithm>
#include <iostream>

#include "data/registry.hpp"
#include "models/models.hpp"
#include "quant/bits_by_name.hpp"
#include "tools/command.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct BenchTrainOptions final : Common {
  BenchTrain bench;
};

struct BenchConvOptions final : Common {
  BenchConv bench;
};

/// The ops of a step, the dearest first.
Table profile_table(const Json& result) {
  struct Line {
    std::string op;
    double forward, backward;
    Index calls;
  };
  std::vector<Line> lines;
  for (const auto& [op, line] : result["profile"].items())
    lines.push_back({op, line["forward_ms"], line["backward_ms"], line["calls"]});
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return a.forward + a.backward > b.forward + b.backward;
  });
  const double rest = result["rest_ms"];
  double total = rest;
  for (const Line& line : lines) total += line.forward + line.backward;
  Table table({{"op", Table::Align::left}, {"calls"}, {"forward ms"}, {"backward ms"}, {"share"}});
  for (const Line& line : lines)
    table.row({line.op, std::to_string(line.calls), fixed(line.forward, 3), fixed(line.backward, 3),
               fixed(100 * (line.forward + line.backward) / total, 1) + " %"});
  table.row(
      {"optimizers and the rest", "", "", fixed(rest, 3), fixed(100 * rest / total, 1) + " %"},
      Style::dim);
  return table;
}

/// What `result` says in one line: `what` took so long.
void print_times(const Json& result, std::string_view what) {
  std::cout << result["model"].get<std::string>() << ", batch " << result["batch"] << ", "
            << result["threads"] << " threads: " << fixed(result["ms"], 3) << " ms " << what
            << " (least " << fixed(result["ms_min"], 3) << "), "
            << grouped(result["samples_per_second"].get<Index>()) << " samples/s, "
            << fixed(result["gflops"], 1) << " GFLOP/s, peak " << grouped(result["peak_bytes"])
            << " bytes\n";
}

int time_steps(const BenchTrainOptions& options) {
  const Json result = bench_train(options.bench);
  if (options.json) {
    print_json(result);
    return 0;
  }
  print_times(result, "a step");
  if (options.bench.profile) std::cout << '\n' << profile_table(result).text();
  return 0;
}

int time_evaluation(const BenchTrainOptions& options) {
  const Json result = bench_eval(options.bench);
  if (options.json)
    print_json(result);
  else
    print_times(result, "a batch");
  return 0;
}

int time_convolutions(const BenchConvOptions& options) {
  const Json lines = bench_conv(options.bench);
  if (options.json) {
    print_json({{"convolutions", lines}});
    return 0;
  }
  for (const Json& line : lines) std::cout << line << '\n';
  return 0;
}

constexpr int most_samples = 1 << 16, most_rounds = 1000;

/// What is timed: a network on a batch.
void add_network(Command& command, BenchTrain& b) {
  command.option("--model", b.model, "Network").one_of(models::names());
  command.option("--data", b.data, "Whose images it sees; those it is made for unless given")
      .one_of(data::names());
  command.option("--batch", b.batch, 1, most_samples, "Samples of a batch");
  command.option("--rounds", b.rounds, 1, most_rounds, "Of about 0.2 s; the median counts");
}

void add_bench_train(CLI::App& bench) {
  const auto options = std::make_shared<BenchTrainOptions>();
  Command command(bench, "train", "Time training steps on a batch of noise", options,
                  [options] { return time_steps(*options); });
  BenchTrain& b = options->bench;
  add_network(command, b);
  command
      .option(
          "--quantize", b.quantize,
          "no, fixed (4 bits), or learned widths of weights (alone: the rest in float) or of all")
      .one_of({"no", "fixed", "weights", "weights-alone", "all"});
  std::vector<std::string> learning = quant::bit_policies();
  std::erase_if(learning, [](const auto& name) { return name == "fixed" || name == "schedule"; });
  command.option("--policy", b.policy, "How widths are learned; stochastic unless given")
      .one_of(learning);
  command.option("--range", b.range, "Range policy: minmax, mse or learned")
      .one_of({"minmax", "mse", "learned"});
  command.flag("--profile", b.profile, "Time by op");
}

void add_bench_eval(CLI::App& bench) {
  const auto options = std::make_shared<BenchTrainOptions>();
  Command command(bench, "eval", "Time evaluation of a batch of noise", options,
                  [options] { return time_evaluation(*options); });
  add_network(command, options->bench);
}

void add_bench_conv(CLI::App& bench) {
  const auto options = std::make_shared<BenchConvOptions>();
  Command command(bench, "conv", "Time convolutions by every way to compute them", options,
                  [options] { return time_convolutions(*options); });
  command.option("--network", options->bench.network, "Whose layers; all unless given");
  command.option("--batch", options->bench.batch, 1, most_samples, "Samples of a batch");
  command.option("--repeats", options->bench.repeats, 1, most_rounds, "The median counts");
}

}  // namespace

void add_bench(CLI::App& program) {
  CLI::App& bench = add_group(program, "bench", "Measure speed; see also tools/compare-torch");
  add_bench_train(bench);
  add_bench_eval(bench);
  add_bench_conv(bench);
}

}  // namespace fraqat::tools
