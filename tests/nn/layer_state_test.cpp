#include <doctest/doctest.h>

#include <cstring>

#include "nn/attention.hpp"
#include "nn/containers.hpp"
#include "nn/recurrent.hpp"
#include "nn/state.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::layer_state_test {
namespace {

// One of every layer that owns numbers; forward is not what this is about.
std::unique_ptr<nn::Sequential> one_of_each(std::uint64_t seed) {
  nn::Initializer init(seed);
  auto all = std::make_unique<nn::Sequential>();
  all->add(std::make_unique<nn::Linear>(3, 2, init), "linear");
  all->add(std::make_unique<nn::Conv2d>(2, 3, 3, init), "conv");
  all->add(std::make_unique<nn::ConvTranspose2d>(2, 3, 3, init), "deconv");
  all->add(std::make_unique<nn::BatchNorm1d>(3), "bn1d");
  all->add(std::make_unique<nn::LayerNorm>(Shape{2, 3}), "ln");
  all->add(std::make_unique<nn::GroupNorm>(1, 3), "gn");
  all->add(std::make_unique<nn::Embedding>(5, 3, init), "embedding");
  all->add(std::make_unique<nn::TransformerEncoderLayer>(4, 2, 6, init), "encoder");
  all->add(std::make_unique<nn::LstmCell>(3, 2, init), "lstm");
  all->add(std::make_unique<nn::Gru>(3, 2, init), "gru");
  for (auto& [name, parameter] : nn::parameters(*all))
    parameter->value() = init.uniform(parameter->shape(), -1, 1);
  for (auto& [name, buffer] : nn::buffers(*all)) *buffer = init.uniform(buffer->shape(), 0, 1);
  return all;
}

}  // namespace

TEST_CASE("state: every layer comes back from its file, bit for bit, under the names of PyTorch") {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "layers.safetensors";
  const auto written = one_of_each(1), read = one_of_each(2);
  nn::save_state(*written, path);
  nn::load_state(*read, path);
  const nn::NamedTensors a = nn::state_of(*written), b = nn::state_of(*read);
  REQUIRE(a.size() == b.size());
  for (const auto& named : a) {
    const std::string& name = named.first;
    const Tensor& tensor = named.second;
    INFO(name);
    REQUIRE(b.count(name) == 1);
    const Tensor& other = b.at(name);
    REQUIRE(other.shape() == tensor.shape());
    CHECK(std::memcmp(tensor.data(), other.data(),
                      static_cast<std::size_t>(tensor.size()) * sizeof(Real)) == 0);
  }
  for (const char* name :
       {"deconv.weight", "deconv.bias", "bn1d.running_mean", "ln.weight", "gn.bias",
        "embedding.weight", "encoder.self_attn.q_proj.weight", "encoder.self_attn.out_proj.bias",
        "encoder.linear1.weight", "encoder.norm2.bias", "lstm.ih.weight", "lstm.hh.bias",
        "gru.cell.ih.bias"}) {
    INFO(name);
    CHECK(a.count(name) == 1);
  }
  CHECK(a.at("ln.weight").shape() == Shape{2, 3});
  CHECK(a.size() == 2 + 2 + 2 + 4 + 2 + 2 + 1 + (8 + 4 + 4) + 4 + 4);
}

}  // namespace fraqat::layer_state_test
