#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "core/file.hpp"
#include "nn/safetensors.hpp"
#include "quant/deploy/packed.hpp"
#include "tests/bad_input/bad_input.hpp"

namespace fraqat::test {
namespace packed_files {

using namespace deploy;

/// conv2d 2 x 2 -> max_pool2d -> add of it and itself -> reshape -> linear, on
/// images [4, 4, 1].
Graph small_graph() {
  const auto product = [](Product& p, const Shape& shape, int bits) {
    p.weight = {shape, {bits}, {quant::grid_of(quant::Coding::symmetric, bits)}, {}, {0.5f}};
    p.weight.codes.assign(static_cast<std::size_t>(shape.size()), 1);
    p.multiplier.assign(static_cast<std::size_t>(shape[0]), 0.25f);
    p.offset.assign(static_cast<std::size_t>(shape[0]), 1);
  };
  const Value codes{.shape = {}, .width = 4, .grid = {0, 15}, .scale = 0.125f, .zero = 2};
  Graph graph;
  graph.input = {.shape = {4, 4, 1}, .width = 8, .grid = {0, 255}, .scale = 0.5f, .zero = 7};
  Conv2d conv;
  product(conv, {3, 2, 2, 1}, 3);
  append(graph, {"conv", {0}, conv, codes});
  append(graph, {"pool", {1}, MaxPool2d{2, 1, 0}, {}});
  append(graph, {"sum", {2, 2}, Add{0.5f, 0.25f, 2}, codes});
  append(graph, {"flat", {3}, Reshape{{12}}, {}});
  Linear linear;
  product(linear, {2, 12}, 5);
  append(graph, {"fc", {4}, linear, {.shape = {}, .width = Value::accumulator_width}});
  return graph;
}

using File = nn::SafeTensors;

std::string bytes_of(const File& file) {
  const auto bytes = nn::serialize(file);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The good file with `change` applied and both kinds of checksum right again.
std::string repaired(const std::function<void(File&)>& change) {
  File file = nn::parse_safetensors(pack(small_graph(), {"m", "d", {"a", "b"}, {0}, {1}}), "good");
  change(file);
  std::string sums;
  for (const auto& entry : file.entries) {
    const std::uint32_t crc = crc32(entry.bytes);
    for (int shift = 28; shift >= 0; shift -= 4) sums += "0123456789abcdef"[crc >> shift & 15];
  }
  file.metadata["fraqat.crc32"] = sums;
  return bytes_of(file);
}

std::string with_metadata(const std::string& key, const std::string& text) {
  return repaired([&](File& file) { file.metadata[key] = text; });
}

/// The good file with the first `from` behind `after` in its metadata `key` changed.
std::string edited(const std::string& after, const std::string& from, const std::string& to,
                   const std::string& key = "fraqat.graph") {
  return repaired([&](File& file) {
    std::string& text = file.metadata.at(key);
    const auto start = text.find(after);
    const auto found = start == std::string::npos ? start : text.find(from, start);
    check(found != std::string::npos, "[test] no ", from, " behind ", after, " in ", text);
    text.replace(found, from.size(), to);
  });
}

nn::SafeTensors::Entry& entry(File& file, const std::string& name) {
  for (auto& entry : file.entries)
    if (entry.name == name) return entry;
  fail(Error::Kind::failed, "[test] no tensor ", name);
}

std::string with_float(const std::string& name, float number) {
  return repaired(
      [&](File& file) { std::memcpy(entry(file, name).bytes.data(), &number, sizeof(number)); });
}

std::string with_byte(const std::string& name, std::size_t i, int byte) {
  return repaired([&](File& file) { entry(file, name).bytes[i] = static_cast<std::byte>(byte); });
}

std::string resized(const std::string& name, std::size_t bytes) {
  return repaired([&](File& file) {
    auto& found = entry(file, name);
    found.bytes.resize(bytes);
    found.shape = {static_cast<Index>(bytes) / nn::dtype_bytes(found.dtype)};
  });
}

std::string unsealed(bool wrong_crc) {
  File file = nn::parse_safetensors(pack(small_graph(), {"m", "d", {"a", "b"}, {0}, {1}}), "good");
  file.sealed = wrong_crc;
  if (wrong_crc) entry(file, "conv.weight").bytes[0] ^= std::byte{1};
  return bytes_of(file);
}

std::string flipped() {
  std::string bytes = repaired([](File&) {});
  bytes.back() ^= 1;
  return bytes;
}

void load(const std::string& path) { read_packed(path); }

const std::string conv = "\"conv2d\"", pool = "\"max_pool2d\"", sum = "\"add\"",
                  flat = "\"reshape\"", fc = "\"linear\"", image = "\"input\"";

// Checksums, version, what is there at all.
BadInputs frame_cases() {
  return {
      {"packed-flipped-bit", flipped(), load, "sha256"},
      {"packed-truncated", repaired([](File&) {}).substr(0, 1000), load, "beyond the file"},
      {"packed-no-seal", unsealed(false), load, "no checksum"},
      {"packed-wrong-crc", unsealed(true), load, "wrong fraqat.crc32"},
      {"packed-float-checkpoint", repaired([](File& f) { f.metadata.erase("fraqat.packed"); }),
       load, "missing metadata: got no \"fraqat.packed\""},
      {"packed-version-0", with_metadata("fraqat.packed", "0"), load, "version of fraqat.packed"},
      {"packed-version-2", with_metadata("fraqat.packed", "2"), load, "version of fraqat.packed"},
      {"packed-name-steers", edited(conv, "\"layer\":\"conv\"", "\"layer\":\"co\\u001b[31m\""),
       load, "expected a text without control characters"},
      {"packed-no-graph", repaired([](File& f) { f.metadata.erase("fraqat.graph"); }), load,
       "missing metadata"},
  };
}

// The JSON of the graph.
BadInputs structure_cases() {
  const std::string deep(100000, '[');
  return {
      {"packed-no-json", with_metadata("fraqat.graph", "{\"input\": oops}"), load, "at offset 11"},
      {"packed-depth-bomb", with_metadata("fraqat.graph", deep), load, "nested too deep"},
      {"packed-graph-a-list", with_metadata("fraqat.graph", "[]"), load, "expected an object"},
      {"packed-no-ops", edited(image, "\"ops\":[", "\"opq\":["), load, "ops: got nothing"},
      {"packed-empty-graph",
       with_metadata(
           "fraqat.graph",
           R"({"input":{"shape":[1],"bits":8,"lo":0,"hi":255,"scale":1,"zero":0},"ops":[]})"),
       load, "tensors that no op reads"},
      {"packed-unknown-op", edited(pool, pool, "\"softmax\""), load, "ops[1].op: no such op"},
      {"packed-unknown-key", edited(conv, "\"stride\"", "\"x\":1,\"stride\""), load,
       "unknown key: got \"x\""},
      {"packed-key-twice", edited(conv, "\"stride\"", "\"groups\":1,\"stride\""), load,
       "key twice: got \"groups\""},
      {"packed-missing-key", edited(conv, "\"stride\":1,", ""), load, "ops[0].stride: got nothing"},
  };
}

// One value of the graph's JSON is not what it was.
struct Change {
  const char* name;
  const std::string& op;  // the first key of this name behind it
  const char *key, *was, *is;
  const char* expected;
};

BadInputs value_cases() {
  const std::vector<Change> changes = {
      // Who reads whom.
      {"packed-edge-forward", pool, "in", "[1]", "[5]", "no such input: got value 5"},
      {"packed-cycle", pool, "in", "[1]", "[2]", "no such input: got value 2"},
      {"packed-edge-negative", pool, "in", "[1]", "[-1]", "ops[1].in: got \"-1\""},
      {"packed-edge-huge", pool, "in", "[1]", "[18446744073709551615]", "ops[1].in"},
      {"packed-edge-missing", sum, "in", "[2,2]", "[2]", "wrong number of inputs"},
      {"packed-edge-real", pool, "in", "[1]", "[1.0]", "expected a whole number"},
      // Bits, grids, scales, zero-points.
      {"packed-bits-0", conv, "bits", "3", "0", "weight.bits: got \"0\""},
      {"packed-bits-33", conv, "bits", "3", "33", "weight.bits"},
      {"packed-bits-fraction", conv, "bits", "3", "2.5", "weight.bits"},
      {"packed-bits-text", conv, "bits", "3", "\"3\"", "weight.bits"},
      {"packed-value-bits-1", image, "bits", "8", "1", "input.bits"},
      {"packed-weight-grid-wide", conv, "hi", "3", "5", "more codes than bits"},
      {"packed-grid-upside-down", image, "hi", "255", "-1", "codes do not fit"},
      {"packed-scale-0", image, "scale", "0.5", "0", "scale out of range"},
      {"packed-scale-negative", image, "scale", "0.5", "-0.5", "scale out of range"},
      {"packed-scale-subnormal", image, "scale", "0.5", "1e-40", "scale out of range"},
      {"packed-scale-too-large", image, "scale", "0.5", "1e39", "number out of range"},
      {"packed-scale-nan", image, "scale", "0.5", "NaN", "no JSON at offset"},
      {"packed-scale-null", image, "scale", "0.5", "null", "input.scale: got \"null\""},
      {"packed-zero-off-grid", image, "zero", "7", "256", "zero-point out of range"},
      {"packed-zero-huge", image, "zero", "7", "4294967296", "input.zero"},
      // Extents, windows, strides.
      {"packed-shape-overflow", conv, "shape", "[3,2,2,1]", "[16777216,16777216,16777216,16777216]",
       "too many elements"},
      {"packed-shape-beyond-64-bits", conv, "shape", "[3,2,2,1]", "[9223372036854775807,2,2,1]",
       "weight.shape"},
      {"packed-shape-zero", conv, "shape", "[3,2,2,1]", "[0,2,2,1]", "weight.shape"},
      {"packed-shape-rank", conv, "shape", "[3,2,2,1]", "[3,2,2,1,1,1]", "got 6 extents"},
      {"packed-shape-mismatch", conv, "shape", "[3,2,2,1]", "[3,1,2,2]", "channels do not fit"},
      {"packed-image-shape", image, "shape", "[4,4,1]", "[4,4]", "wrong rank"},
      {"packed-stride-too-large", pool, "stride", "1", "70000", "impossible window: got stride"},
      {"packed-window-too-large", pool, "kernel", "2", "9", "window larger than the image"},
      {"packed-stride-0", conv, "stride", "1", "0", "stride: got \"0\""},
      {"packed-groups", conv, "groups", "1", "2", "channels do not fit"},
      {"packed-dilation-too-large", conv, "dilation", "1", "65536", "window larger than the image"},
      {"packed-dilation-huge", conv, "dilation", "1", "16777216", "impossible dilation"},
      {"packed-padding-huge", conv, "padding", "0", "16777216", "impossible window"},
      {"packed-reshape-size", flat, "shape", "[12]", "[13]", "sizes differ"},
      {"packed-add-constant", sum, "m1", "0.5", "[]", "m1: got array"},
  };
  BadInputs cases;
  for (const Change& c : changes) {
    const std::string key = '"' + std::string(c.key) + "\":";
    cases.push_back({c.name, edited(c.op, key + c.was, key + c.is), load, c.expected});
  }
  return cases;
}

// The tensors: sizes, types, contents.
BadInputs number_cases() {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  return {
      {"packed-multiplier-nan", with_float("conv.multiplier", nan), load,
       "multiplier is not finite"},
      {"packed-multiplier-infinite", with_float("fc.multiplier", -infinity), load,
       "ops[4] (linear \"fc\"): multiplier is not finite"},
      {"packed-offset-nan", with_float("conv.offset", nan), load, "offset is not finite"},
      {"packed-weight-scale-0", with_float("conv.scale", 0), load, "weight scale out of range"},
      {"packed-weight-scale-nan", with_float("conv.scale", nan), load, "weight scale out of range"},
      {"packed-code-off-grid", with_byte("conv.weight", 0, 0x27), load, "code 0 off the grid"},
      {"packed-tail-bits", with_byte("conv.weight", 4, 0x10), load, "bits behind the last code"},
      {"packed-weight-short", resized("conv.weight", 4), load, "wrong size: got 4 bytes"},
      {"packed-weight-long", resized("fc.weight", 16), load, "wrong size: got 16 bytes"},
      {"packed-scales-too-many", resized("conv.scale", 8), load, "wrong size: got 2"},
      {"packed-offset-short", resized("conv.offset", 8), load, "wrong size: got 2"},
      {"packed-weight-dtype",
       repaired([](File& f) { entry(f, "fc.weight").dtype = nn::DType::i8; }), load,
       "wrong tensor: got I8"},
      {"packed-missing-tensor", repaired([](File& f) { entry(f, "fc.weight").name = "fc.heavy"; }),
       load, "got none called \"fc.weight\""},
      {"packed-extra-tensor", repaired([](File& f) {
         f.entries.push_back({"zzz", nn::DType::u8, {1}, {std::byte{0}}});
       }),
       load, "tensors that no op reads: got 9"},
      {"packed-layer-twice", edited(fc, "\"layer\":\"fc\"", "\"layer\":\"conv\""), load,
       "\"conv.multiplier\": got two ops that read it"},
  };
}

// Codes and accumulators where they do not belong, and the model card.
BadInputs ending_cases() {
  return {
      {"packed-codes-missing",
       edited(conv, ",\"out\":{\"bits\":4,\"lo\":0,\"hi\":15,\"scale\":0.125,\"zero\":2}", ""),
       load, "input without codes: got value 1"},
      {"packed-codes-of-pool", edited(pool, "\"padding\":0", "\"padding\":0,\"out\":{}"), load,
       "ops[1].out: got codes for max_pool2d"},
      {"packed-codes-last",
       edited(fc, "\"hi\":15}",
              "\"hi\":15},\"out\":{\"bits\":4,\"lo\":0,\"hi\":15,\"scale\":1,\"zero\":2}"),
       load, "wrong last op"},
      {"packed-classes", edited("", "[\"a\",\"b\"]", "[\"a\"]", "fraqat.model"), load,
       "classes: got 1 names; expected 2"},
      {"packed-mean-size", edited("", "\"mean\":[0.0]", "\"mean\":[0,0]", "fraqat.model"), load,
       "mean: wrong size"},
      {"packed-deviation-0", edited("", "\"deviation\":[1.0]", "\"deviation\":[0]", "fraqat.model"),
       load, "deviation: got 0"},
  };
}

}  // namespace packed_files

BadInputs packed_cases() {
  using namespace packed_files;
  BadInputs all;
  for (const auto& cases :
       {frame_cases(), structure_cases(), value_cases(), number_cases(), ending_cases()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace fraqat::test
