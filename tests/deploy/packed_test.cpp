#include "quant/deploy/packed.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>

#include "core/file.hpp"
#include "nn/safetensors.hpp"
#include "quant/deploy/lower.hpp"
#include "tests/deploy/quantized_model.hpp"
#include "tests/deploy/random_graph.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::packed_test {

using namespace fraqat::deploy;

namespace {

ModelInfo info_for(const Graph& graph) {
  ModelInfo info{"some \"net\"", "data\\1", {}, {}, {}};
  for (Index i = 0; i < graph.ops.back().output.shape.size(); ++i)
    info.classes.push_back("class \xc3\xa9 " + std::to_string(i));
  for (Index c = 0; c < graph.input.shape[-1]; ++c) {
    info.mean.push_back(0.1307 + 1e-17 * static_cast<double>(c));
    info.deviation.push_back(1.0 / 3);
  }
  return info;
}

std::vector<std::byte> packed_codes(const std::vector<std::int8_t>& codes, const Grid& grid,
                                    Width width) {
  return pack_codes({{static_cast<Index>(codes.size())}, {width}, {grid}, codes, {1}});
}

std::vector<std::int8_t> unpacked_codes(std::span<const std::byte> bytes, Index count,
                                        const Grid& grid, Width width) {
  Weight weight{{count}, {width}, {grid}, {}, {1}};
  unpack_codes(bytes, weight, "x");
  return weight.codes;
}

}  // namespace

TEST_CASE("packed codes: every width, every tail, bit by bit") {
  for (int bits = 2; bits <= 8; ++bits)
    for (Index count = 1; count <= 41; ++count) {
      const Grid grid = quant::grid_of(quant::Coding::symmetric, bits);
      test::Dice dice(static_cast<std::uint32_t>(100 * bits + count));
      std::vector<std::int8_t> codes;
      for (Index i = 0; i < count; ++i)
        codes.push_back(static_cast<std::int8_t>(dice.whole(grid.lo, grid.hi)));
      codes.front() = static_cast<std::int8_t>(grid.lo);
      codes.back() = static_cast<std::int8_t>(grid.hi);

      std::vector<int> expected;  // the bits of the file, lowest first
      for (const std::int8_t code : codes)
        for (int b = 0; b < bits; ++b) expected.push_back((code - grid.lo) >> b & 1);
      while (expected.size() % 8) expected.push_back(0);

      const auto bytes = packed_codes(codes, grid, bits);
      REQUIRE(bytes.size() * 8 == expected.size());
      REQUIRE(static_cast<Index>(bytes.size()) == Width(bits).bytes(count));
      for (std::size_t i = 0; i < expected.size(); ++i)
        REQUIRE((std::to_integer<int>(bytes[i / 8]) >> i % 8 & 1) == expected[i]);
      CHECK(unpacked_codes(bytes, count, grid, bits) == codes);
    }
}

TEST_CASE("packed codes: a binary weight is one bit") {
  const Grid grid = quant::grid_of(quant::Coding::symmetric, 1);
  const std::vector<std::int8_t> codes = {1, -1, -1, 1, 1, 1, -1, 1, -1, 1};
  const auto bytes = packed_codes(codes, grid, 1);
  REQUIRE(bytes.size() == 2);
  CHECK(std::to_integer<int>(bytes[0]) == 0b10111001);
  CHECK(std::to_integer<int>(bytes[1]) == 0b10);
  CHECK(unpacked_codes(bytes, 10, grid, 1) == codes);
}

TEST_CASE("packed codes of the whole byte range") {
  std::vector<std::int8_t> codes;
  for (int q = -128; q <= 127; ++q) codes.push_back(static_cast<std::int8_t>(q));
  const auto bytes = packed_codes(codes, {-128, 127}, 8);
  for (std::size_t i = 0; i < 256; ++i) CHECK(std::to_integer<std::size_t>(bytes[i]) == i);
  CHECK(unpacked_codes(bytes, 256, {-128, 127}, 8) == codes);
}

TEST_CASE("packed files: the same graph comes back, and the bytes are those predicted") {
  for (const test::Stored stored : test::every_storage)
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
      Graph graph = test::random_graph(seed, stored);
      const ModelInfo info = info_for(graph);
      const auto bytes = pack(graph, info);
      const Packed packed = unpack(bytes, "memory");
      CHECK(packed.graph == graph);
      CHECK(packed.info == info);
      CHECK(pack(packed.graph, packed.info) == bytes);

      Index data = 0;
      for (const auto& entry : nn::parse_safetensors(bytes, "memory").entries)
        data += static_cast<Index>(entry.bytes.size());
      CHECK(data == data_bytes(graph));
      CHECK(packed.header_bytes() + data == static_cast<Index>(bytes.size()));
    }
}

TEST_CASE("packed files keep every float32") {
  using Limits = std::numeric_limits<float>;
  Graph graph = test::linear_graph(3, 4, std::vector<std::int8_t>(12, 1));
  auto& linear = std::get<Linear>(graph.ops[0].what);
  linear.multiplier = {Limits::denorm_min(), -Limits::max(), -0.0f, 0.1f};
  linear.weight.scale = {Limits::min(), Limits::max(), 1.0f / 3, 3e7f};
  for (const float scale : {0.1f, 1.0f / 3, Limits::min(), Limits::max(), 8388609.0f, 1e-10f,
                            5.9604645e-8f, 0.00784313772f}) {
    graph.input.scale = scale;
    CHECK(unpack(pack(graph, info_for(graph)), "memory").graph == graph);
  }
}

TEST_CASE("lenet5-bn: data bytes as the budget counts them, a header below 5 KB") {
  const auto model = test::quantized_model("lenet5-bn", false);
  const Graph graph = lower(*model, test::model_images(1, 1));
  ModelInfo info{"lenet5-bn", "fashion-mnist", {}, {0.2860}, {0.3530}};
  for (const char* name : {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                           "Sneaker", "Bag", "Ankle boot"})
    info.classes.push_back(name);
  test::TemporaryDirectory directory;
  const std::string path = directory / "model.fraqat";
  write_packed(path, graph, info);
  const Packed packed = read_packed(path);
  CHECK(packed.graph == graph);
  CHECK(packed.file_bytes == static_cast<Index>(std::filesystem::file_size(path)));

  // Widths 2, 3, 4, 5, 6 for 150, 2400, 48000, 10080 and 840 weights; 12 bytes a channel.
  const Index expected = 38 + 900 + 24000 + 6300 + 630 + 12 * (6 + 16 + 120 + 84 + 10);
  CHECK(data_bytes(graph) == expected);
  CHECK(packed.file_bytes - expected == packed.header_bytes());
  CHECK(packed.header_bytes() < 5000);
  MESSAGE("header: ", packed.header_bytes(), " bytes");
}

TEST_CASE("packed files: no altered byte and no truncation goes unnoticed") {
  const Graph graph = test::linear_graph(3, 2, {1, -2, 3, 4, 5, -127});
  const auto good = pack(graph, info_for(graph));
  Index accepted = 0;
  const auto refused = [&](std::span<const std::byte> bytes) {
    try {
      unpack(bytes, "damaged");
      ++accepted;
    } catch (const Error& error) {
      CHECK(error.kind() == Error::Kind::input);
      CHECK(std::string_view(error.what()).find("damaged") != std::string_view::npos);
    }
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    for (const int mask : {1, 128}) {
      bad[i] = good[i] ^ static_cast<std::byte>(mask);
      refused(bad);
    }
    refused(std::span(good).first(i));
  }
  CHECK(accepted == 0);
}

TEST_CASE("an unfinished graph is not packed") {
  Graph graph = test::random_graph(1);
  graph.ops.pop_back();
  CHECK_THROWS_AS(pack(graph, {}), Error);
}

TEST_CASE("a graph of more numbers than an image may take is refused") {
  deploy::Graph graph;
  graph.input = {.shape = {8192, 8192, 1}, .width = 8, .grid = {0, 255}, .scale = 1};
  CHECK_THROWS_WITH_AS(append(graph, {"pool", {0}, deploy::MaxPool2d{2, 2, 0}, {}}),
                       doctest::Contains("too many numbers for one image: got 83886080"), Error);
}

}  // namespace fraqat::packed_test
