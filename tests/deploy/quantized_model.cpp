#include "tests/deploy/quantized_model.hpp"

#include "core/random.hpp"

namespace fraqat::test {
namespace {

/// Statistics and parameters of batch norm that training could have left.
void unsettle(nn::Module& model) {
  std::uint32_t n = 0;
  const auto fill = [&](Tensor& tensor, float low, float high) {
    fill_uniform(tensor, low, high, Philox(7, Stream::synthetic, ++n));
  };
  for (auto& [name, var] : nn::parameters(model))
    if (var->shape().rank() == 1 && name.ends_with(".weight")) {
      fill(var->value(), 0.5f, 1.5f);
      for (Index c = 0; c < var->value().size(); c += 2) var->value()[c] *= -1;
    } else if (var->shape().rank() == 1) {
      fill(var->value(), -0.3f, 0.5f);
    }
  for (auto& [name, buffer] : nn::buffers(model))
    if (name.ends_with("running_mean"))
      fill(*buffer, -0.2f, 0.2f);
    else if (name.ends_with("running_var"))
      fill(*buffer, 0.1f, 0.6f);
}

/// Level counts up to 8 bits in turn, odd ones for weights, even ones for codes of both signs.
void freeze_at_levels(nn::Module& model) {
  int levels = 5;
  for (quant::Quantizer* q : quant::quantizers(model)) {
    if (q->info().role == quant::Role::input) continue;
    const int odd = q->info().coding == quant::Coding::symmetric ? 1 : 0;
    q->freeze(quant::Width::of_levels(2 * (levels / 2) + odd));
    levels = levels > 200 ? 5 : 3 * levels / 2;
  }
}

void freeze_channels(nn::Module& model) {
  Dice dice(3);
  for (quant::Quantizer* q : quant::quantizers(model)) {
    if (q->info().role != quant::Role::weight) continue;
    std::vector<quant::Width> bits;
    for (Index row = 0; row < q->width_count(); ++row)
      bits.emplace_back(static_cast<int>(dice.whole(2, 8)));
    q->freeze(bits);
  }
}

}  // namespace

Tensor model_images(Index count, std::uint64_t seed, const Shape& sample) {
  Tensor images({count, sample[0], sample[1], sample[2]});
  fill_normal(images, Philox(seed, Stream::synthetic));
  const Index left = sample[2], above = sample[1] * sample[2];
  for (Index i = images.size() - 1; i > above; --i)
    images[i] = images[i] + 0.5f * images[i - left] + 0.5f * images[i - above];
  return images;
}

std::unique_ptr<nn::Module> quantized_model(const std::string& name, bool affine,
                                            const Shape& sample, Stored stored, int sum_bits,
                                            bool narrow_range) {
  auto model = models::make(name, sample, 10, 3);
  unsettle(*model);
  quant::Spec spec;
  spec.weight.per_channel = true;
  spec.activation.bits = "logits-argmax";  // all widths are candidates
  spec.activation.affine = affine;
  spec.activation.range = spec.weight.range = "minmax";
  if (stored != Stored::bits) spec.weight.bits = "logits-argmax";
  spec.weight.bits_per_channel = stored == Stored::channels;
  spec.weight.narrow_range = narrow_range;
  spec.sum_bits = sum_bits;
  int bits = 2;
  for (auto& [layer, module] : nn::modules(*model))
    if (stored == Stored::bits && (module->kind() == "Conv2d" || module->kind() == "Linear")) {
      spec.weight_bits.emplace_back(layer, bits);
      bits = bits == 8 ? 2 : bits + 1;
    }
  const Tensor images = model_images(8, 1, sample);
  quant::attach(*model, images, spec);
  quant::set_mode(*model, quant::Quantizer::Mode::observe);
  (*model)(Var(images));
  quant::calibrated(*model);
  if (stored == Stored::levels) {
    freeze_at_levels(*model);
    return model;
  }
  if (stored == Stored::channels) freeze_channels(*model);
  for (quant::Quantizer* q : quant::quantizers(*model))
    if (q->info().role == quant::Role::activation) {
      q->freeze(bits);
      bits = bits == 8 ? 2 : bits + 1;
    }
  return model;
}

}  // namespace fraqat::test
