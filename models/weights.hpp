#pragma once

#include <string>
#include <string_view>

#include "nn/module.hpp"
#include "nn/safetensors.hpp"

/// Weights that PyTorch has trained, as `safetensors.torch.save_file(model.state_dict(), path)`
/// leaves them.
namespace fraqat::models {

/// What PyTorch calls the tensor `name` of a network in models.hpp: the same, but
/// for the body of a residual block, whose layers there are the block's own
/// ("layer1.0.body.conv1.weight" is "layer1.0.conv1.weight").
std::string pytorch_name(std::string_view name);

/// Gives the float network `model`, for images of `sample`, the numbers of
/// `tensors`.  Kernels are turned from [O, I, H, W] to [O, H, W, I] (those of
/// transposed convolutions from [I, O, H, W] to [I, H, W, O]), and the
/// columns of a product behind a flatten from channels, rows, columns to rows,
/// columns, channels; `num_batches_tracked` is left out.  What is missing, extra
/// or of another shape is listed in one Error{input}, in PyTorch's names and
/// shapes, and then nothing has changed.  `origin` is the file's name in errors.
void apply_pytorch(nn::Module& model, const Shape& sample, nn::SafeTensors tensors,
                   const std::string& origin);

/// The same of the file `path`.
void load_pytorch(nn::Module& model, const Shape& sample, const std::string& path);

}  // namespace fraqat::models
