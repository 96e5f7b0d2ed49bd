#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>

#include "core/error.hpp"
#include "core/text.hpp"
#include "data/dataset.hpp"
#include "data/png.hpp"
#include "data/registry.hpp"
#include "quant/deploy/engine.hpp"
#include "tools/command.hpp"
#include "tools/model_file.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct PredictOptions final : Common {
  std::string model;
  std::vector<std::string> images;
  bool invert = false;
};

/// The image file as the network wants it: its size, its channels, normalised.
void read_image(const std::string& path, bool invert, const data::Normalization& normalization,
                const Shape& shape, std::span<float> pixels) {
  const data::Image image = data::fitted(data::read_png(path), shape[0], shape[1], shape[2]);
  const auto channels = static_cast<std::size_t>(shape[2]);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const int value = invert ? 255 - image.pixels[i] : image.pixels[i];
    pixels[i] = normalization(static_cast<float>(value), i % channels);
  }
}

Tensor logits_of(const ModelFile& model, const Tensor& images) {
  if (model.packed) return deploy::Engine(model.packed->graph).run(images).logits;
  return (*model.checkpoint->model)(Var(images)).value();
}

std::vector<double> softmax(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  for (const float x : logits) p.push_back(std::exp(double{x} - top));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}

/// The classes by falling confidence, the first `most`.
std::vector<std::size_t> best_classes(const std::vector<double>& p, std::size_t most) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p[a] > p[b]; });
  order.resize(std::min(most, order.size()));
  return order;
}

Json to_json(const std::string& path, const std::vector<double>& p,
             const std::vector<std::size_t>& best, const std::vector<std::string>& classes) {
  Json top = Json::array();
  for (const std::size_t k : best)
    top.push_back({{"class", classes[k]}, {"index", k}, {"confidence", p[k]}});
  return {{"image", path}, {"class", classes[best.front()]}, {"top", top}};
}

int predict(const PredictOptions& options) {
  constexpr std::size_t top = 3, bar_width = 20;
  const ModelFile model = load_model(options.model);
  const deploy::ModelInfo info = model.info();
  const Shape shape = model.sample();
  check_input(shape.rank() == 3 && (shape[2] == 1 || shape[2] == 3), "[predict] ",
              in_quotes(model.path), " reads no images: got an input ", shape,
              "; expected [height, width, channels] with 1 or 3 channels");
  const auto count = static_cast<Index>(options.images.size());
  Tensor images({count, shape[0], shape[1], shape[2]});
  const auto size = static_cast<std::size_t>(shape.size());
  for (std::size_t n = 0; n < options.images.size(); ++n)
    read_image(options.images[n], options.invert, {info.mean, info.deviation}, shape,
               images.span().subspan(n * size, size));
  const Tensor logits = logits_of(model, images);
  const std::size_t classes = info.classes.size();
  Json all = Json::array();
  for (std::size_t n = 0; n < options.images.size(); ++n) {
    const std::vector<double> p = softmax(logits.span().subspan(n * classes, classes));
    const std::vector<std::size_t> best = best_classes(p, top);
    all.push_back(to_json(options.images[n], p, best, info.classes));
    if (options.json) continue;
    Table table({{"", Table::Align::left}, {""}, {"", Table::Align::left}});
    for (const std::size_t k : best)
      table.row({info.classes[k], fixed(100 * p[k], 1) + " %", bar(p[k] * bar_width, bar_width)},
                k == best.front() ? Style::bold : Style::plain);
    std::cout << options.images[n] << '\n' << table.text();
  }
  if (options.json) print_json({{"model", model.path}, {"predictions", all}});
  return 0;
}

}  // namespace

void add_predict(CLI::App& program) {
  const auto options = std::make_shared<PredictOptions>();
  Command command(program, "predict", "Classes and confidences of PNG images", options,
                  [options] { return predict(*options); });
  command.option("MODEL", options->model, "Packed model, checkpoint or run folder").required();
  command.option("IMAGE", options->images, "PNG files").required();
  command.flag("--invert", options->invert,
               "Swap black and white: Fashion-MNIST and MNIST are white on black");
}

}  // namespace fraqat::tools
