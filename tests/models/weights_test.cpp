#include "models/weights.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "core/error.hpp"
#include "models/models.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"
#include "nn/state.hpp"
#include "tests/support/folder.hpp"

namespace fraqat::weights_test {
namespace {

std::string golden(const std::string& file) {
  return test::tests_folder() + "/golden/weights/" + file;
}

/// Numbers of a golden file by name.
Tensor tensor_of(const std::string& file, std::string_view name) {
  const nn::SafeTensors tensors = nn::read_safetensors(golden(file));
  const nn::SafeTensors::Entry* entry = tensors.find(name);
  REQUIRE(entry != nullptr);
  Tensor tensor(entry->shape);
  std::memcpy(tensor.data(), entry->bytes.data(), entry->bytes.size());
  return tensor;
}

/// The model's state as PyTorch would save it, with zeros for its numbers.
nn::SafeTensors zeros_like_pytorch(nn::Module& model) {
  nn::NamedTensors state;
  for (const auto& [name, tensor] : nn::state_of(model)) {
    const Shape own = tensor.shape();
    const Shape shape = own.rank() == 4 ? Shape{own[0], own[3], own[1], own[2]} : own;
    state.emplace(models::pytorch_name(name), Tensor(shape, 0.0f));
  }
  nn::SafeTensors file = nn::to_safetensors(state);
  file.entries.push_back(
      {"bn1.num_batches_tracked", nn::DType::i64, {}, std::vector<std::byte>(8)});
  return file;
}

/// A network of the tests/golden/weights script, by the same names.
std::unique_ptr<nn::Module> tiny_convolutions(nn::Initializer& init) {
  auto net = std::make_unique<nn::Sequential>();
  net->add(std::make_unique<nn::Conv2d>(2, 3, 3, init, op::Conv2dOptions{1, 1}), "conv1");
  net->add(std::make_unique<nn::BatchNorm2d>(3), "bn1");
  net->add(std::make_unique<nn::Relu>(), "relu1");
  net->add(std::make_unique<nn::MaxPool2d>(), "pool1");
  net->add(std::make_unique<nn::Flatten>(), "flatten");
  net->add(std::make_unique<nn::Dropout>(0.5f), "dropout");
  net->add(std::make_unique<nn::Linear>(18, 4, init), "fc1");
  nn::name_modules(*net);
  return net;
}

void check_outputs(nn::Module& model, const std::string& file) {
  const Tensor nchw = tensor_of(file, "test.images"), expected = tensor_of(file, "test.logits");
  const Index n = nchw.dim(0), c = nchw.dim(1), h = nchw.dim(2), w = nchw.dim(3);
  Tensor images({n, h, w, c});
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < c; ++k)
      for (Index p = 0; p < h * w; ++p)
        images[(i * h * w + p) * c + k] = nchw[(i * c + k) * h * w + p];
  nn::SafeTensors weights = nn::read_safetensors(golden(file));
  std::erase_if(weights.entries, [](const auto& e) { return e.name.starts_with("test."); });
  models::apply_pytorch(model, {h, w, c}, weights, file);
  const Tensor logits = model(Var(images)).value();
  REQUIRE(logits.shape() == expected.shape());
  for (Index i = 0; i < logits.size(); ++i)
    CHECK(logits[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

std::string failure(nn::Module& model, const nn::SafeTensors& file) {
  try {
    models::apply_pytorch(model, {32, 32, 3}, file, "the file");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::input);
    return error.what();
  }
  return "nothing failed";
}

}  // namespace

TEST_CASE("weights: names") {
  CHECK(models::pytorch_name("conv1.weight") == "conv1.weight");
  CHECK(models::pytorch_name("layer1.0.body.conv1.weight") == "layer1.0.conv1.weight");
  CHECK(models::pytorch_name("layer2.0.shortcut.1.running_mean") ==
        "layer2.0.shortcut.1.running_mean");
  CHECK(models::pytorch_name("body.body.x") == "x");
  CHECK(models::pytorch_name("somebody.weight") == "somebody.weight");
}

TEST_CASE("weights: what PyTorch computes with them: kernels, batch norm, columns") {
  nn::Initializer init(1);
  check_outputs(*tiny_convolutions(init), "tiny_convolutions.safetensors");
}

TEST_CASE("weights: residual blocks of PyTorch, both shortcuts") {
  for (const bool projected : {false, true}) {
    CAPTURE(projected);
    nn::Initializer init(1);
    auto body = std::make_unique<nn::Sequential>();
    body->add(std::make_unique<nn::Conv2d>(2, 4, 3, init, op::Conv2dOptions{2, 1}, false), "conv1");
    body->add(std::make_unique<nn::BatchNorm2d>(4), "bn1");
    std::unique_ptr<nn::Module> shortcut = std::make_unique<nn::PadShortcut>(2, 1, 1);
    if (projected) {
      auto both = std::make_unique<nn::Sequential>();
      both->add(std::make_unique<nn::Conv2d>(2, 4, 1, init, op::Conv2dOptions{2, 0}, false));
      both->add(std::make_unique<nn::BatchNorm2d>(4));
      shortcut = std::move(both);
    }
    nn::Sequential net;
    net.add(std::make_unique<nn::Residual>(std::move(body), std::move(shortcut)), "block");
    net.add(std::make_unique<nn::GlobalAvgPool>(), "pool");
    net.add(std::make_unique<nn::Linear>(4, 3, init), "linear");
    nn::name_modules(net);
    check_outputs(net, projected ? "projected.safetensors" : "padded.safetensors");
  }
}

TEST_CASE("weights: every network by name takes PyTorch's state, each number at its place") {
  for (const std::string& name : models::names()) {
    CAPTURE(name);
    const auto model = models::make(name, {16, 16, 3}, 10, 1);
    nn::SafeTensors file = zeros_like_pytorch(*model);
    // Every number is its own position, as far as float can tell.
    for (nn::SafeTensors::Entry& entry : file.entries)
      for (std::size_t i = 0; entry.dtype == nn::DType::f32 && 4 * i < entry.bytes.size(); ++i) {
        const auto value = static_cast<float>(i);
        std::memcpy(entry.bytes.data() + 4 * i, &value, 4);
      }
    models::apply_pytorch(*model, {16, 16, 3}, file, name);
    for (const auto& named : nn::state_of(*model)) {  // clang 14 captures no structured binding
      CAPTURE(named.first);
      const Tensor& tensor = named.second;
      const Shape& shape = tensor.shape();
      CHECK(tensor[tensor.size() - 1] == static_cast<float>(tensor.size() - 1));
      if (shape.rank() != 4) continue;
      int wrong = 0;
      Index i = 0;
      for (Index o = 0; o < shape[0]; ++o)
        for (Index r = 0; r < shape[1]; ++r)
          for (Index s = 0; s < shape[2]; ++s)
            for (Index c = 0; c < shape[3]; ++c)
              wrong += tensor[i++] !=
                       static_cast<float>(((o * shape[3] + c) * shape[1] + r) * shape[2] + s);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("weights: transposed convolutions are turned, a Linear of pixels is not") {
  nn::Initializer init(1);
  nn::Sequential net;
  net.add(std::make_unique<nn::ConvTranspose2d>(3, 3, 3, init), "up");  // a cube fits either way
  net.add(std::make_unique<nn::Linear>(3, 4, init), "mix");
  nn::name_modules(net);
  nn::SafeTensors file = zeros_like_pytorch(net);
  for (nn::SafeTensors::Entry& entry : file.entries)
    for (std::size_t i = 0; entry.dtype == nn::DType::f32 && 4 * i < entry.bytes.size(); ++i) {
      const auto value = static_cast<float>(i);
      std::memcpy(entry.bytes.data() + 4 * i, &value, 4);
    }
  models::apply_pytorch(net, {4, 4, 3}, file, "the file");
  const nn::NamedTensors state = nn::state_of(net);
  const Tensor& up = state.at("up.weight");
  for (Index i = 0; i < up.size(); ++i) {
    const Index o = i % 3, s = i / 3 % 3, r = i / 9 % 3, in = i / 27;
    REQUIRE(up[i] == static_cast<float>(((in * 3 + o) * 3 + r) * 3 + s));
  }
  for (Index i = 0; i < 12; ++i) CHECK(state.at("mix.weight")[i] == static_cast<float>(i));
}

TEST_CASE("weights: missing, extra and reshaped tensors are listed together, and nothing changes") {
  const auto model = models::make("resnet20", {32, 32, 3}, 10, 1);
  const nn::NamedTensors before = nn::state_of(*model);
  nn::SafeTensors file = zeros_like_pytorch(*model);
  std::erase_if(file.entries, [](const auto& entry) {
    return entry.name == "linear.bias" || entry.name == "layer2.0.bn1.running_var";
  });
  for (nn::SafeTensors::Entry& entry : file.entries) {
    if (entry.name == "layer1.0.conv2.weight") entry.name = "layer1.0.body.conv2.weight";
    if (entry.name == "conv1.weight") entry.shape = {16, 9, 3, 1};
  }
  CHECK(failure(*model, file) ==
        "[state] \"the file\" is not of this network: got 95 tensors; expected 97; missing: "
        "\"layer1.0.conv2.weight\", \"layer2.0.bn1.running_var\", \"linear.bias\"; extra: "
        "\"layer1.0.body.conv2.weight\"; reshaped: \"conv1.weight\" [16, 9, 3, 1] instead of "
        "[16, 3, 3, 3]");
  for (const auto& [name, tensor] : nn::state_of(*model))
    CHECK(std::equal(tensor.span().begin(), tensor.span().end(), before.at(name).span().begin()));

  const auto deeper = models::make("resnet32", {32, 32, 3}, 10, 1);
  CHECK(failure(*deeper, zeros_like_pytorch(*model)).find("layer1.3.conv1.weight") !=
        std::string::npos);
  CHECK(failure(*model, zeros_like_pytorch(*deeper)).find("extra: \"layer1.3.bn1.bias\"") !=
        std::string::npos);
}

TEST_CASE("weights: files that are none") {
  const auto model = models::make("mlp", {28, 28, 1}, 10, 1);
  nn::SafeTensors file =
      nn::to_safetensors(nn::state_of(*model), {{"fraqat.format", "checkpoint"}});
  CHECK_THROWS_WITH_AS(models::apply_pytorch(*model, {28, 28, 1}, file, "f"),
                       doctest::Contains("is a file of fraqat"), Error);
  file.metadata.clear();
  for (nn::SafeTensors::Entry& entry : file.entries)
    if (entry.name == "fc3.bias") std::memset(entry.bytes.data(), 0xff, 4);
  CHECK_THROWS_WITH_AS(models::apply_pytorch(*model, {28, 28, 1}, file, "f"),
                       doctest::Contains("bad number in \"fc3.bias\" at index 0"), Error);
  CHECK_THROWS_AS(models::load_pytorch(*model, {28, 28, 1}, "/nonexistent"), Error);

  nn::Initializer init(1);
  nn::Sequential net;
  net.add(std::make_unique<nn::Flatten>(), "flatten");
  net.add(std::make_unique<nn::BatchNorm2d>(784), "bn");
  nn::name_modules(net);
  CHECK_THROWS_WITH_AS(models::apply_pytorch(net, {28, 28, 1}, {}, "f"),
                       doctest::Contains("batch_norm in layer \"bn\" stands behind a flatten"),
                       Error);
}

}  // namespace fraqat::weights_test
