// Packed models with level counts and a width for each channel.

#include <functional>

#include "core/file.hpp"
#include "nn/safetensors.hpp"
#include "quant/deploy/packed.hpp"
#include "tests/bad_input/bad_input.hpp"

namespace fraqat::test {
namespace packed_widths {

using namespace deploy;

/// conv2d of 4 codes of 6 levels, [0 5 1] and [4] -> reshape -> linear of 2 and 4 bits, on
/// images [4, 4, 1].
Graph two_layers() {
  Graph graph;
  graph.input = {.shape = {4, 4, 1}, .width = 8, .grid = {0, 255}, .scale = 0.5f, .zero = 7};
  Conv2d conv;
  conv.weight = {{1, 2, 2, 1}, {Width::of_levels(6)}, {{-3, 2}}, {-3, 2, -2, 1}, {0.5f}};
  conv.multiplier = {0.25f};
  conv.offset = {1};
  append(graph, {"conv",
                 {0},
                 conv,
                 {.shape = {}, .width = Width::of_levels(11), .grid = {0, 10}, .scale = 0.125f}});
  append(graph, {"flat", {1}, Reshape{{9}}, {}});
  Linear linear;
  linear.weight = {{2, 9}, {2, 4}, {{-1, 1}, {-7, 7}}, std::vector<std::int8_t>(18, 1), {0.5f}};
  linear.multiplier = linear.offset = {0.25f, 1};
  append(graph, {"fc", {2}, linear, {.shape = {}, .width = Value::accumulator_width}});
  return graph;
}

/// The good file with `change` applied and both kinds of checksum right again.
std::string changed(const std::function<void(nn::SafeTensors&)>& change) {
  nn::SafeTensors file =
      nn::parse_safetensors(pack(two_layers(), {"m", "d", {"a", "b"}, {0}, {1}}), "good");
  change(file);
  std::string sums;
  for (const auto& entry : file.entries) {
    const std::uint32_t crc = crc32(entry.bytes);
    for (int shift = 28; shift >= 0; shift -= 4) sums += "0123456789abcdef"[crc >> shift & 15];
  }
  file.metadata["fraqat.crc32"] = sums;
  const auto bytes = nn::serialize(file);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string with_text(const std::string& from, const std::string& to) {
  return changed([&](nn::SafeTensors& file) {
    std::string& text = file.metadata.at("fraqat.graph");
    const auto found = text.find(from);
    check(found != std::string::npos, "[test] no ", from, " in ", text);
    text.replace(found, from.size(), to);
  });
}

std::string with_byte_of(const std::string& name, std::size_t i, int byte) {
  return changed([&](nn::SafeTensors& file) {
    for (auto& entry : file.entries)
      if (entry.name == name) entry.bytes[i] = static_cast<std::byte>(byte);
  });
}

void load_widths(const std::string& path) { read_packed(path); }

// Part of the graph's JSON is not what it was.
struct Text {
  const char *name, *was, *is, *expected;
};

}  // namespace packed_widths

BadInputs packed_width_cases() {
  using namespace packed_widths;
  const std::vector<Text> texts = {
      {"packed-levels-2", "\"levels\":6", "\"levels\":2", "weight.levels: got \"2\""},
      {"packed-levels-256", "\"levels\":6", "\"levels\":256", "weight.levels: got \"256\""},
      {"packed-levels-negative", "\"levels\":6", "\"levels\":-6", "weight.levels: got \"-6\""},
      {"packed-levels-real", "\"levels\":6", "\"levels\":6.5", "weight.levels: got \"6.5\""},
      {"packed-levels-list", "\"levels\":6", "\"levels\":[6]", "weight.levels: got array"},
      {"packed-levels-power", "\"levels\":6", "\"levels\":8", "levels: got a power of two, 8"},
      {"packed-levels-and-bits", "\"levels\":6", "\"levels\":6,\"bits\":3", "got bits besides"},
      {"packed-levels-and-rows", "\"levels\":6", "\"levels\":6,\"bits\":[3]", "unknown key"},
      {"packed-levels-missing", "\"levels\":6,", "", "weight.bits: got nothing"},
      {"packed-levels-too-few", "\"levels\":6", "\"levels\":5", "more codes than levels"},
      {"packed-levels-other", "\"levels\":6", "\"levels\":7", "expected 4 for 4 codes of 7 levels"},
      {"packed-levels-grid-wide", "-3,\"hi\":2", "-3,\"hi\":3", "more codes than levels"},
      {"packed-levels-grid-narrow", "-3,\"hi\":2", "-3,\"hi\":1", "code 1 off the grid"},
      {"packed-value-levels-0", "\"levels\":11", "\"levels\":0", "out.levels: got \"0\""},
      {"packed-value-levels-power", "\"levels\":11", "\"levels\":16", "got a power of two"},
      {"packed-value-levels-grid", "\"hi\":10", "\"hi\":11", "codes do not fit"},
      {"packed-value-levels-and-bits", "\"levels\":11", "\"bits\":4,\"levels\":11", "besides"},
      {"packed-value-rows", "\"bits\":8", "\"bits\":[8]", "input.bits: got array"},
      {"packed-rows-missing", "[2,4]", "[2]", "weight.bits: got 1 widths; expected 2"},
      {"packed-rows-none", "[2,4]", "[]", "weight.bits: got 0 widths; expected 2"},
      {"packed-rows-too-many", "[2,4]", "[2,4,4]", "weight.bits: got 3 widths; expected 2"},
      {"packed-rows-0", "[2,4]", "[0,4]", "weight.bits: got \"0\""},
      {"packed-rows-9", "[2,4]", "[2,9]", "weight.bits: got \"9\""},
      {"packed-rows-real", "[2,4]", "[2,4.5]", "weight.bits: got \"4.5\""},
      {"packed-rows-with-grid", "[2,4]", "[2,4],\"lo\":-7", "unknown key: got \"lo\""},
      {"packed-rows-larger", "[2,4]", "[3,4]", "wrong size: got 7 bytes; expected 8"},
  };
  BadInputs cases = {
      {"packed-word-too-large", with_byte_of("conv.weight", 0, 216), load_widths,
       "word 0 too large: got 1 above its digits"},
      {"packed-word-largest", with_byte_of("conv.weight", 0, 255), load_widths, "word 0 too large"},
      {"packed-digits-behind", with_byte_of("conv.weight", 1, 6), load_widths,
       "word 1 too large: got 1 above its digits; expected 0 above 1 digits"},
      {"packed-rows-off-grid", with_byte_of("fc.weight", 0, 3), load_widths, "code 0 off the grid"},
      {"packed-rows-tail", with_byte_of("fc.weight", 6, 0xc0), load_widths,
       "bits behind the last code"},
  };
  for (const Text& text : texts)
    cases.push_back({text.name, with_text(text.was, text.is), load_widths, text.expected});
  return cases;
}

}  // namespace fraqat::test
