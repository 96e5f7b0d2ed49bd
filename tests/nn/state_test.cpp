#include "nn/state.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "core/file.hpp"
#include "nn/init.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::nn {
namespace {

using test::TemporaryDirectory;

/// A plug with a parameter and a buffer of its own, as quantizers have.
struct Scale final : Transform {
  Var step{Tensor({3}, Real(0.5)), true};
  Tensor range{{2}, Real(4)};
  Tensor unused;  // without storage: no part of the state
  Var operator()(const Var& x) override { return x; }
  void visit(Visitor& visitor) override {
    visitor.parameter("step", step);
    visitor.buffer("range", range);
    visitor.buffer("unused", unused);
  }
};

struct Layer final : Module {
  Var weight, bias;
  Slot weight_q;

  Layer(Index out, Initializer& init)
      : weight(init.uniform({out, 4}, -1, 1), true), bias(init.uniform({out}, -1, 1), true) {}
  Var forward(const Var& x) override { return x; }
  void visit(Visitor& visitor) override {
    visitor.parameter("weight", weight);
    visitor.slot("weight_q", weight_q);
    visitor.parameter("bias", bias);
  }
  std::string_view kind() const override { return "Layer"; }
};

struct Net final : Module {
  Initializer init;
  Layer fc;
  Var gamma;
  Tensor mean;
  std::shared_ptr<Scale> scale = std::make_shared<Scale>();

  explicit Net(std::uint64_t seed, Index out = 2)
      : init(seed), fc(out, init), gamma(init.uniform({3}, 0, 1), true), mean({3}, Real(0)) {
    fc.weight_q.fill(scale);
  }
  Var forward(const Var& x) override { return x; }
  void visit(Visitor& visitor) override {
    visitor.child("fc", fc);
    visitor.parameter("bn.weight", gamma);
    visitor.buffer("bn.running_mean", mean);
  }
  std::string_view kind() const override { return "Net"; }
};

const std::vector<std::string> names = {"bn.running_mean", "bn.weight",         "fc.bias",
                                        "fc.weight",       "fc.weight_q.range", "fc.weight_q.step"};

bool same(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second.shape() != tensor.shape() ||
        std::memcmp(other->second.data(), tensor.data(), tensor.span().size_bytes()) != 0)
      return false;
  }
  return true;
}

std::string error_of_load(Module& module, const std::string& path) {
  try {
    load_state(module, path);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::input);
    return error.what();
  }
  return "no error";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("state: parameters and buffers by dotted name, those of slots too") {
  Net net(1);
  std::vector<std::string> found;
  for (const auto& [name, tensor] : state_of(net)) found.push_back(name);
  CHECK(found == names);
}

TEST_CASE("state: a snapshot does not follow the network") {
  Net net(1);
  const NamedTensors before = state_of(net);
  net.fc.weight.value()[0] = 100;
  CHECK(before.at("fc.weight")[0] != 100);
  apply_state(net, before, "snapshot");
  CHECK(same(state_of(net), before));
}

TEST_CASE("state: saved and loaded, into the same storage, bit by bit") {
  TemporaryDirectory directory;
  const std::string path = directory / "net.safetensors";
  Net a(1), b(2);
  a.mean[1] = Real(-0.0);
  a.scale->range[1] = std::numeric_limits<Real>::denorm_min();
  CHECK(!same(state_of(a), state_of(b)));
  save_state(a, path, {{"epoch", "3"}});
  const Real* storage = b.fc.weight.value().data();
  CHECK(load_state(b, path) == Metadata{{"epoch", "3"}});
  CHECK(b.fc.weight.value().data() == storage);
  CHECK(same(state_of(a), state_of(b)));
  CHECK(read_safetensors(path).sealed);

  const auto first = read_file(path, 10000);
  save_state(b, path, {{"epoch", "3"}});
  CHECK(read_file(path, 10000) == first);
}

TEST_CASE("state: everything that does not fit is in one error, and nothing has changed") {
  TemporaryDirectory directory;
  const std::string path = directory / "net.safetensors";
  Net source(1, 5);
  NamedTensors state = state_of(source);
  state.erase("bn.weight");
  state.erase("fc.weight_q.step");
  state.emplace("fc.scale", Tensor({1}, Real(1)));
  write_safetensors(path, to_safetensors(state));

  Net net(2);
  const NamedTensors before = state_of(net);
  const std::string text = error_of_load(net, path);
  CHECK(contains(text, path));
  CHECK(contains(text, R"(missing: "bn.weight", "fc.weight_q.step")"));
  CHECK(contains(text, R"(extra: "fc.scale")"));
  CHECK(contains(
      text, R"(reshaped: "fc.bias" [5] instead of [2], "fc.weight" [5, 4] instead of [2, 4])"));
  CHECK(same(state_of(net), before));

  for (int i = 0; i < 50; ++i) state.emplace("extra" + std::to_string(i), Tensor({1}, Real(1)));
  write_safetensors(path, to_safetensors(state));
  CHECK(contains(error_of_load(net, path), " and 31 more"));
}

TEST_CASE("state: numbers that are none are refused by name and index") {
  TemporaryDirectory directory;
  const std::string path = directory / "net.safetensors";
  Net net(2);
  const NamedTensors before = state_of(net);
  for (Real bad : {std::numeric_limits<Real>::quiet_NaN(), std::numeric_limits<Real>::infinity(),
                   -std::numeric_limits<Real>::infinity()}) {
    Net source(1);
    save_state(source, path);
    source.fc.weight.value()[6] = bad;
    CHECK_THROWS_WITH_AS(save_state(source, path),
                         doctest::Contains("[state] cannot save \"fc.weight\": got "), Error);
    CHECK_NOTHROW(load_state(net, path));  // the file of before
    apply_state(net, before, "before");
    SafeTensors file = read_safetensors(path);
    for (SafeTensors::Entry& entry : file.entries) {
      const auto number = static_cast<float>(bad);
      if (entry.name == "fc.weight")
        std::memcpy(entry.bytes.data() + 6 * sizeof(float), &number, sizeof number);
    }
    write_safetensors(path, file);
    CHECK(contains(error_of_load(net, path), R"("fc.weight" at index 6)"));
    CHECK(same(state_of(net), before));
  }
  SafeTensors integers = to_safetensors(state_of(net));
  integers.entries[0].dtype = DType::i32;
  write_safetensors(path, integers);
  CHECK(contains(error_of_load(net, path), R"("bn.running_mean": got I32; expected F32)"));
  CHECK(contains(error_of_load(net, directory / "none"), "No such file"));
}

TEST_CASE("state: a damaged file is refused") {
  TemporaryDirectory directory;
  const std::string path = directory / "net.safetensors";
  Net net(1);
  save_state(net, path);
  auto file = read_file(path, 10000);
  file.back() ^= std::byte{1};
  write_file_atomically(path, file);
  CHECK(contains(error_of_load(net, path), "wrong checksum"));
}

TEST_CASE("state: prefixes keep two owners apart in one file") {
  Net net(1);
  NamedTensors all = with_prefix("model.", state_of(net));
  all.merge(with_prefix("optimizer.", state_of(net)));
  CHECK(all.size() == 2 * names.size());
  CHECK(same(under_prefix("model.", all), state_of(net)));
  CHECK(same(under_prefix("optimizer.", all), state_of(net)));
  CHECK(under_prefix("other.", all).empty());
}

TEST_CASE("state: two tensors of one name are the network's fault") {
  struct Twice final : Module {
    Tensor a{{1}, Real(0)}, b{{1}, Real(0)};
    Var forward(const Var& x) override { return x; }
    void visit(Visitor& visitor) override {
      visitor.buffer("same", a);
      visitor.buffer("same", b);
    }
    std::string_view kind() const override { return "Twice"; }
  } twice;
  CHECK_THROWS_WITH_AS(state_of(twice), doctest::Contains("two tensors of one name"), Error);
}

}  // namespace
}  // namespace fraqat::nn
