#include "models/build.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"

/// Residual networks for small images (He et al., "Deep Residual Learning for
/// Image Recognition", 2016, section 4.2).
namespace fraqat::models {
namespace {

using nn::Sequential;

std::unique_ptr<nn::Module> convolution(Build& b, Index in, Index out, Index kernel, Index stride) {
  const op::Conv2dOptions options{stride, kernel / 2};
  return std::make_unique<nn::Conv2d>(in, out, kernel, b.init, options, false);
}

/// None where the input fits as it is; else "option A" of the paper, every
/// stride-th pixel and zero channels, or "option B", a convolution of 1 x 1.
std::unique_ptr<nn::Module> make_shortcut(Build& b, Index in, Index out, Index stride,
                                          Shortcut shortcut) {
  if (stride == 1 && in == out) return nullptr;
  if (shortcut == Shortcut::pad) {
    const Index before = (out - in) / 2;
    return std::make_unique<nn::PadShortcut>(stride, before, out - in - before);
  }
  auto projection = std::make_unique<Sequential>();
  projection->add(convolution(b, in, out, 1, stride), "0");
  projection->add(std::make_unique<nn::BatchNorm2d>(out), "1");
  return projection;
}

std::unique_ptr<nn::Module> residual_block(Build& b, Index in, Index out, Index stride,
                                           Shortcut shortcut) {
  auto body = std::make_unique<Sequential>();
  body->add(convolution(b, in, out, 3, stride), "conv1");
  body->add(std::make_unique<nn::BatchNorm2d>(out), "bn1");
  body->add(std::make_unique<nn::Relu>(), "relu1");
  body->add(convolution(b, out, out, 3, 1), "conv2");
  body->add(std::make_unique<nn::BatchNorm2d>(out), "bn2");
  return std::make_unique<nn::Residual>(std::move(body),
                                        make_shortcut(b, in, out, stride, shortcut));
}

void add_stem(Sequential& net, Build& b, Index channels) {
  net.add(convolution(b, b.channels, channels, 3, 1), "conv1");
  net.add(std::make_unique<nn::BatchNorm2d>(channels), "bn1");
  net.add(std::make_unique<nn::Relu>(), "relu1");
}

}  // namespace

std::unique_ptr<nn::Module> tiny_resnet(Build& b) {
  auto net = std::make_unique<Sequential>();
  add_stem(*net, b, 8);
  net->add(residual_block(b, 8, 8, 1, Shortcut::pad), "block1");
  net->add(residual_block(b, 8, 16, 2, Shortcut::pad), "block2");
  net->add(residual_block(b, 16, 32, 2, Shortcut::pad), "block3");
  net->add(std::make_unique<nn::GlobalAvgPool>(), "pool");
  net->add(std::make_unique<nn::Linear>(32, b.classes, b.init), "fc");
  return net;
}

std::unique_ptr<nn::Module> resnet(Build& b, int depth, Shortcut shortcut) {
  constexpr Index stages = 3;
  const int blocks = (depth - 2) / (2 * stages);  // two convolutions each; stem and product
  auto net = std::make_unique<Sequential>();
  Index channels = 16;
  add_stem(*net, b, channels);
  for (Index stage = 1; stage <= stages; ++stage) {
    auto layer = std::make_unique<Sequential>();
    for (int block = 0; block < blocks; ++block) {
      const bool halves = stage > 1 && block == 0;
      const Index in = channels;
      if (halves) channels *= 2;
      layer->add(residual_block(b, in, channels, halves ? 2 : 1, shortcut));
    }
    net->add(std::move(layer), "layer" + std::to_string(stage));
  }
  net->add(std::make_unique<nn::GlobalAvgPool>(), "pool");
  net->add(std::make_unique<nn::Linear>(channels, b.classes, b.init), "linear");
  return net;
}

}  // namespace fraqat::models
