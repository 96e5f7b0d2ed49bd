#include "tests/models/report_sample.hpp"

#include <cmath>
#include <iterator>

#include "core/file.hpp"

namespace fraqat::test {
namespace {

using Json = nlohmann::ordered_json;

struct Sample {
  const char *name, *layer, *role;
  int elements;
  double learned;
  int bits;
};

constexpr Sample samples[] = {{"conv1.input_q", "conv1", "input", 1024, 8, 8},
                              {"conv1.weight_q", "conv1", "weight", 150, 5.31, 5},
                              {"relu1.output_q", "relu1", "activation", 4704, 2.21, 2},
                              {"conv2.weight_q", "conv2", "weight", 2400, 4.12, 4},
                              {"relu2.output_q", "relu2", "activation", 1600, 2.87, 3},
                              {"fc1.weight_q", "fc1", "weight", 48000, 2.31, 2},
                              {"relu3.output_q", "relu3", "activation", 120, 4.05, 4},
                              {"fc2.weight_q", "fc2", "weight", 10080, 2.96, 3},
                              {"relu4.output_q", "relu4", "activation", 84, 4.44, 5},
                              {"fc3.weight_q", "fc3", "weight", 840, 4.71, 5}};

struct Phase {
  const char* name;
  int epochs;
  double loss, accuracy, start_loss, start_accuracy, weight_bits, activation_bits;
};

constexpr Phase phases[] = {{"float", 12, 0.16, 91.3, 0.62, 83.1, 32, 32},
                            {"uniform-8", 9, 0.15, 91.2, 0.19, 90.7, 8, 8},
                            {"uniform-4", 9, 0.18, 91.0, 0.24, 89.9, 4, 4},
                            {"uniform-2", 9, 0.33, 88.9, 0.52, 84.0, 2, 2},
                            {"uniform-2-ends8", 9, 0.32, 89.3, 0.50, 84.8, 2.04, 2},
                            {"search", 6, 0.23, 90.3, 0.27, 89.2, 2.5, 2.5},
                            {"finetune", 4, 0.19, 90.7, 0.22, 90.2, 2.5, 2.5}};

// A curve that falls quickly, then slowly, with a wiggle that repeats.
double between(double start, double end, int epoch, int epochs, double wiggle) {
  const double left = std::exp(-3.5 * (epoch - 1) / std::max(1.0, epochs - 1.0));
  return end + (start - end) * left + wiggle * std::sin(2.7 * epoch);
}

Json line(const Phase& phase, int epoch, double spread) {
  const bool search = phase.name == std::string("search");
  const bool learned = search || phase.name == std::string("finetune");
  Json json = {{"phase", phase.name},
               {"epoch", epoch},
               {"step", 469 * epoch},
               {"seconds", 3.1 * epoch},
               {"rate", 0.05},
               {"loss", between(phase.start_loss, phase.loss, epoch, phase.epochs, 0.004)},
               {"accuracy",
                spread + between(phase.start_accuracy, phase.accuracy, epoch, phase.epochs, 0.12)}};
  if (phase.weight_bits == 32) return json;
  const double some = search ? 0.4 * std::exp(-epoch) : 0;
  json["avg_weight_bits"] = phase.weight_bits + some;
  json["avg_activation_bits"] = phase.activation_bits + some;
  if (search) {
    json["price_weight"] = 0.004 + 0.02 * std::exp(-0.8 * epoch);
    json["price_activation"] = 0.011 + 0.01 * std::exp(-0.5 * epoch);
    json["price_bytes"] = 1e-6 * std::exp(-0.7 * epoch);
  }
  for (const Sample& s : samples)
    json["bits"][s.name] = search    ? between(s.role[0] == 'i' ? 8 : 3, s.learned, epoch, 6, 0.03)
                           : learned ? s.bits
                                     : phase.weight_bits;
  return json;
}

Json arm(const Phase& phase, const std::string& name, double bytes, double spread) {
  return {{"name", name},
          {"accuracy", phase.accuracy + spread},
          {"loss", phase.loss + 0.08},
          {"bytes", bytes},
          {"avg_weight_bits", phase.weight_bits},
          {"avg_activation_bits", phase.activation_bits}};
}

Json result(const std::string& recipe, double spread) {
  Json json = {{"recipe", recipe},
               {"date", "2026-05-04T12:30:00Z"},
               {"arguments", {"fraqat", "train", "--recipe", recipe}},
               {"version", "0.1.0"},
               {"cpu", "Sample CPU, 2 cores"},
               {"isa", "avx2"},
               {"blas", "OpenBLAS 0.3.21 Haswell"},
               {"threads", 2},
               {"seed", 1},
               {"data", {{"name", "fashion-mnist"}, {"sha256", {{"train-images", "3aede38d"}}}}},
               {"seconds", 171.2},
               {"peak_bytes", 123456789},
               {"samples_per_second", 31000.0}};
  const double bytes[] = {246824, 61706, 30853, 15427, 16042, 0, 19306};
  for (std::size_t i = 0; i < std::size(phases); ++i) {
    const std::string name = phases[i].name;
    if (name != "search")
      json["arms"].push_back(
          arm(phases[i], name == "finetune" ? "learned" : name, bytes[i] * (1 + spread), spread));
  }
  for (const Sample& s : samples)
    json["tensors"].push_back({{"name", s.name},
                               {"layer", s.layer},
                               {"role", s.role},
                               {"elements", s.elements},
                               {"learned_bits", s.learned},
                               {"bits", s.bits},
                               {"bytes", (s.elements * s.bits + 7) / 8}});
  const Json rest = {
      {"accuracy", 90.7 + spread},
      {"model_bytes", 19806},
      {"data_bytes", 19306},
      {"mismatches", 0},
      {"different_predictions", 3},
      {"verified", true},
      {"gap", {{"fractional", 90.5}, {"searched", 90.25}, {"rounded", 88.5}, {"finetuned", 91.0}}},
      {"budget",
       {{"weight", {{"target", 2.5}, {"reached", 2.499}}},
        {"activation", {{"target", 2.5}, {"reached", 2.488}}},
        {"bytes", {{"target", 19400.0}, {"reached", 19306.0}}}}},
      {"hash", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}};
  json.update(rest);
  return json;
}

}  // namespace

Json sample_result(const std::string& recipe) { return result(recipe, 0); }

void write_sample_run(const std::string& folder, const std::string& recipe, double spread) {
  make_directories(folder);
  std::string lines;
  for (const Phase& phase : phases)
    for (int epoch = 1; epoch <= phase.epochs; ++epoch)
      lines += line(phase, epoch, spread).dump() + "\n";
  write_file_atomically(folder + "/metrics.jsonl", lines);
  write_file_atomically(folder + "/run.json", result(recipe, spread).dump(1));
  write_file_atomically(folder + "/recipe.toml",
                        "name = \"" + recipe + "\"\nseed = 1\n\n[data]\nbatch = 128\n");
}

}  // namespace fraqat::test
