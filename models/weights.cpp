#include "models/weights.hpp"

#include <algorithm>
#include <map>

#include "core/text.hpp"
#include "nn/state.hpp"

namespace fraqat::models {
namespace {

/// Where a tensor's numbers are windows of an image: axes [rows, H, W, C] here,
/// [rows, C, H, W] in PyTorch.
struct Window {
  Index height, width, channels;
};
using Windows = std::map<std::string, Window, std::less<>>;

/// Reads off the graph which parameters hold windows: the kernels, and what meets
/// the flattened pixels of an image.
class Reader {
 public:
  Windows read(const Tape& tape) {
    for (const auto& node : tape.nodes()) read(*node);
    return std::move(windows_);
  }

 private:
  void read(const Node& node) {
    const Var& x = node.inputs()[0];
    const Shape& y = node.output().shape();
    if (node.op() == "conv2d" || node.op() == "conv_transpose2d") {
      const Var& weight = node.inputs()[1];
      windows_[weight.name()] = {weight.shape()[1], weight.shape()[2], weight.shape()[3]};
    } else if (node.op() == "reshape" && x.shape().rank() == 4 && y.rank() == 2 &&
               y[0] == x.shape()[0]) {  // not the rows that a Linear makes of an image
      flat_[node.output().id()] = {x.shape()[1], x.shape()[2], x.shape()[3]};
    } else if (const auto found = flat_.find(x.id()); found != flat_.end()) {
      if (node.op() == "linear")
        windows_[node.inputs()[1].name()] = found->second;
      else
        pass_on(node, found->second);
    }
  }

  /// An op between a flatten and its product.
  void pass_on(const Node& node, const Window& window) {
    const bool plain =
        std::none_of(node.inputs().begin() + 1, node.inputs().end(),
                     [](const Var& input) { return input && !input.name().empty(); });
    check(plain && node.output().shape() == node.inputs()[0].shape(), "[weights] ", node.op(),
          " in layer \"", node.layer(), "\" stands behind a flatten: got an op that is not done ",
          "element by element; expected none before the next product");
    flat_[node.output().id()] = window;
  }

  Windows windows_;
  std::map<const void*, Window> flat_;  // by the variable that holds the pixels
};

Windows windows_of(nn::Module& model, const Shape& sample) {
  Tape tape(Tape::Records::graph);
  model(Var(Tensor({1, sample[0], sample[1], sample[2]}, Real(0))));
  return Reader().read(tape);
}

/// The shape that PyTorch gives a tensor of ours.
Shape pytorch_shape(const Shape& own, const Window& window) {
  if (own.rank() == 2) return own;  // columns, whatever their order
  return {own[0], window.channels, window.height, window.width};
}

/// y[r, h, w, c] = x[r, c, h, w], under our shape.
Tensor turned(const Tensor& x, const Window& window, const Shape& own) {
  const auto [height, width, channels] = window;
  Tensor y(own);
  Index i = 0;
  for (Index r = 0; r < own[0]; ++r)
    for (Index h = 0; h < height; ++h)
      for (Index w = 0; w < width; ++w)
        for (Index c = 0; c < channels; ++c)
          y[i++] = x[((r * channels + c) * height + h) * width + w];
  return y;
}

/// Without the counters of batch norm, which matter only without a momentum.
void drop_counters(nn::SafeTensors& tensors) {
  std::erase_if(tensors.entries, [](const nn::SafeTensors::Entry& entry) {
    return entry.name.ends_with(".num_batches_tracked") || entry.name == "num_batches_tracked";
  });
}

}  // namespace

std::string pytorch_name(std::string_view name) {
  constexpr std::string_view body = "body.";
  std::string text(name);
  for (std::size_t at = 0; (at = text.find(body, at)) != text.npos;)
    if (at == 0 || text[at - 1] == '.')
      text.erase(at, body.size());
    else
      at += body.size();
  return text;
}

void apply_pytorch(nn::Module& model, const Shape& sample, nn::SafeTensors tensors,
                   const std::string& origin) {
  check_input(!tensors.metadata.contains("fraqat.format"), "[weights] ", in_quotes(origin),
              " is a file of fraqat: got metadata fraqat.format; expected PyTorch's state; try it "
              "as a checkpoint");
  drop_counters(tensors);
  const nn::NamedTensors state = nn::from_safetensors(tensors, origin);
  const Windows windows = windows_of(model, sample);
  const nn::NamedTensors own = nn::state_of(model);
  nn::NamedTensors expected, mapped;
  for (const auto& [name, tensor] : own) {
    const auto window = windows.find(name);
    const Shape shape =
        window == windows.end() ? tensor.shape() : pytorch_shape(tensor.shape(), window->second);
    expected.emplace(pytorch_name(name), tensor.reshape(shape));
  }
  nn::check_same_layout(expected, state, origin);
  for (const auto& [name, tensor] : own) {
    const Tensor& source = state.at(pytorch_name(name));
    const auto window = windows.find(name);
    mapped.emplace(
        name, window == windows.end() ? source : turned(source, window->second, tensor.shape()));
  }
  nn::apply_state(model, mapped, origin);
}

void load_pytorch(nn::Module& model, const Shape& sample, const std::string& path) {
  apply_pytorch(model, sample, nn::read_safetensors(path), path);
}

}  // namespace fraqat::models
