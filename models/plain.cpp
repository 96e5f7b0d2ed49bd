#include "models/build.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"

namespace fraqat::models {

using nn::Sequential;

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

/// Two convolutions, each halved by a pool, and two products.
std::unique_ptr<nn::Module> cnn_32_64(Build& b) {
  check(b.height >= 4 && b.width >= 4, "[models] cnn-32-64 needs images of 4 x 4 or more: got ",
        b.height, " x ", b.width);
  auto net = std::make_unique<Sequential>();
  const op::Conv2dOptions same{1, 1};
  net->add(std::make_unique<nn::Conv2d>(b.channels, 32, 3, b.init, same), "conv1");
  net->add(std::make_unique<nn::Relu>(), "relu1");
  net->add(std::make_unique<nn::MaxPool2d>(), "pool1");
  net->add(std::make_unique<nn::Conv2d>(32, 64, 3, b.init, same), "conv2");
  net->add(std::make_unique<nn::Relu>(), "relu2");
  net->add(std::make_unique<nn::MaxPool2d>(), "pool2");
  net->add(std::make_unique<nn::Flatten>(), "flatten");
  net->add(std::make_unique<nn::Linear>((b.height / 4) * (b.width / 4) * 64, 128, b.init), "fc1");
  net->add(std::make_unique<nn::Relu>(), "relu3");
  net->add(std::make_unique<nn::Linear>(128, b.classes, b.init), "fc2");
  return net;
}

}  // namespace fraqat::models
