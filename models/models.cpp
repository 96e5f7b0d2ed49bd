#include "models/models.hpp"

#include "nn/containers.hpp"
#include "nn/layers.hpp"

namespace fraqat::models {
namespace {

using nn::Initializer;
using nn::Sequential;

/// What a network is built for.
struct Build {
  Index height, width, channels, classes;
  Initializer init;
};

std::unique_ptr<nn::Module> mlp(Build& b) {
  auto net = std::make_unique<Sequential>();
  net->add(std::make_unique<nn::Flatten>(), "flatten");
  net->add(std::make_unique<nn::Linear>(b.height * b.width * b.channels, 256, b.init), "fc1");
  net->add(std::make_unique<nn::Relu>(), "relu1");
  net->add(std::make_unique<nn::Linear>(256, 128, b.init), "fc2");
  net->add(std::make_unique<nn::Relu>(), "relu2");
  net->add(std::make_unique<nn::Linear>(128, b.classes, b.init), "fc3");
  return net;
}

/// Two convolutions and three products; with batch norm, the layers before one
/// need no bias.
std::unique_ptr<nn::Module> lenet5(Build& b, bool with_batch_norm) {
  check(b.height >= 12 && b.width >= 12, "[models] lenet5 needs images of 12 x 12 or more: got ",
        b.height, " x ", b.width);
  auto net = std::make_unique<Sequential>();
  const auto activate = [&](const std::string& number, Index channels) {
    if (with_batch_norm) net->add(std::make_unique<nn::BatchNorm2d>(channels), "bn" + number);
    net->add(std::make_unique<nn::Relu>(), "relu" + number);
  };
  const bool bias = !with_batch_norm;
  net->add(std::make_unique<nn::Conv2d>(b.channels, 6, 5, b.init, op::Conv2dOptions{1, 2}, bias),
           "conv1");
  activate("1", 6);
  net->add(std::make_unique<nn::MaxPool2d>(), "pool1");
  net->add(std::make_unique<nn::Conv2d>(6, 16, 5, b.init, op::Conv2dOptions{}, bias), "conv2");
  activate("2", 16);
  net->add(std::make_unique<nn::MaxPool2d>(), "pool2");
  net->add(std::make_unique<nn::Flatten>(), "flatten");
  const Index features = ((b.height / 2 - 4) / 2) * ((b.width / 2 - 4) / 2) * 16;
  net->add(std::make_unique<nn::Linear>(features, 120, b.init, bias), "fc1");
  activate("3", 120);
  net->add(std::make_unique<nn::Linear>(120, 84, b.init, bias), "fc2");
  activate("4", 84);
  net->add(std::make_unique<nn::Linear>(84, b.classes, b.init), "fc3");
  return net;
}

std::unique_ptr<nn::Module> convolution(Build& b, Index in, Index out, Index stride) {
  return std::make_unique<nn::Conv2d>(in, out, 3, b.init, op::Conv2dOptions{stride, 1}, false);
}

std::unique_ptr<nn::Module> residual_block(Build& b, Index in, Index out, Index stride) {
  auto body = std::make_unique<Sequential>();
  body->add(convolution(b, in, out, stride), "conv1");
  body->add(std::make_unique<nn::BatchNorm2d>(out), "bn1");
  body->add(std::make_unique<nn::Relu>(), "relu1");
  body->add(convolution(b, out, out, 1), "conv2");
  body->add(std::make_unique<nn::BatchNorm2d>(out), "bn2");
  std::unique_ptr<nn::Module> shortcut;
  if (stride != 1 || in != out)
    shortcut = std::make_unique<nn::PadShortcut>(stride, (out - in) / 2, out - in - (out - in) / 2);
  return std::make_unique<nn::Residual>(std::move(body), std::move(shortcut));
}

std::unique_ptr<nn::Module> tiny_resnet(Build& b) {
  auto net = std::make_unique<Sequential>();
  net->add(convolution(b, b.channels, 8, 1), "conv1");
  net->add(std::make_unique<nn::BatchNorm2d>(8), "bn1");
  net->add(std::make_unique<nn::Relu>(), "relu1");
  net->add(residual_block(b, 8, 8, 1), "block1");
  net->add(residual_block(b, 8, 16, 2), "block2");
  net->add(residual_block(b, 16, 32, 2), "block3");
  net->add(std::make_unique<nn::GlobalAvgPool>(), "pool");
  net->add(std::make_unique<nn::Linear>(32, b.classes, b.init), "fc");
  return net;
}

struct Entry {
  std::string_view name;
  std::unique_ptr<nn::Module> (*build)(Build&);
};

constexpr Entry entries[] = {
    {"mlp", mlp},
    {"lenet5", [](Build& b) { return lenet5(b, false); }},
    {"lenet5-bn", [](Build& b) { return lenet5(b, true); }},
    {"tiny-resnet", tiny_resnet},
};

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Entry& entry : entries) all.emplace_back(entry.name);
  return all;
}

std::unique_ptr<nn::Module> make(std::string_view name, const Shape& sample, Index classes,
                                 std::uint64_t seed) {
  check(sample.rank() == 3, "[models] samples must be images [H, W, C]: got ", sample);
  std::string known;
  for (const Entry& entry : entries) {
    if (entry.name == name) {
      Build build{sample[0], sample[1], sample[2], classes, Initializer(seed)};
      std::unique_ptr<nn::Module> model = entry.build(build);
      nn::name_modules(*model);
      return model;
    }
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail(Error::Kind::usage, "[models] no such model: got \"", name, "\"; expected one of ", known);
}

}  // namespace fraqat::models
