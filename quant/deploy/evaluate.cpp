#include "quant/deploy/evaluate.hpp"

#include <algorithm>
#include <cstdlib>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

namespace fraqat::deploy {
namespace {

constexpr std::int64_t exact_limit = std::int64_t{1} << 24;

// The tensors below are centred: they hold q - Z, so that 0 stands for 0 and
// padding needs no care.

Tensor centred_codes(const Tensor& images, const Value& value) {
  return map(
      [&value](float x) {
        return static_cast<float>(quantize(x, value.scale, value.zero, value.grid) - value.zero);
      },
      images);
}

Integers integers(const Tensor& centred, std::int32_t zero) {
  Integers result(static_cast<std::size_t>(centred.size()));
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<std::int32_t>(centred[static_cast<Index>(i)]) + zero;
  return result;
}

void accumulate(Integers& sum, const Tensor& part) {
  sum.resize(static_cast<std::size_t>(part.size()));
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] += static_cast<std::int32_t>(part[static_cast<Index>(i)]);
}

Tensor requantized(const Integers& accumulators, const Shape& shape, const Value& value,
                   std::span<const float> multiplier, std::span<const float> offset) {
  Tensor result(shape);
  const auto channels = static_cast<Index>(multiplier.size());
  parallel_chunks(result.size() / channels, 1 << 10, [&](Index begin, Index end) {
    for (Index i = begin * channels; i < end * channels; ++i) {
      const auto c = static_cast<std::size_t>(i % channels);
      const std::int32_t q = quant::requantize(accumulators[static_cast<std::size_t>(i)],
                                               multiplier[c], offset[c], value.grid);
      result[i] = static_cast<float>(q - value.zero);
    }
  });
  return result;
}

/// One pass over the ops, keeping the centred tensor of every value.
class Evaluation {
 public:
  Evaluation(const Graph& graph, const Tensor& images) : graph_(graph), samples_(images.dim(0)) {
    values_.push_back(centred_codes(images, graph.input));
    for (const Op& op : graph.ops) {
      op_ = &op;
      values_.push_back(std::visit([this](const auto& what) { return run(what); }, op.what));
    }
  }

  Outputs outputs(bool keep_values) {
    Outputs result;
    result.logits = logits_of(graph_, accumulators_, samples_);
    if (keep_values) {
      for (std::size_t i = 0; i + 1 < values_.size(); ++i)
        result.values.push_back(integers(values_[i], graph_.value(static_cast<int>(i)).zero));
      result.values.push_back(accumulators_);
    }
    result.accumulators = std::move(accumulators_);
    return result;
  }

 private:
  const Tensor& in(std::size_t i) const {
    return values_[static_cast<std::size_t>(op_->inputs[i])];
  }
  const Value& meaning(std::size_t i) const { return graph_.value(op_->inputs[i]); }

  Shape shape() const {
    std::vector<Index> dims = {samples_};
    const auto rest = op_->output.shape.dims();
    dims.insert(dims.end(), rest.begin(), rest.end());
    return Shape(dims);
  }

  template <class Multiply>
  Tensor product(const Product& p, const Multiply& multiply) {
    accumulators_.clear();
    for (const Tensor& part : exact_parts(p.weight, meaning(0).reach()))
      accumulate(accumulators_, multiply(Var(part)).value());
    if (op_->output.accumulators()) return {};
    return requantized(accumulators_, shape(), op_->output, p.multiplier, p.offset);
  }

  Tensor run(const Conv2d& c) {
    const op::Conv2dOptions options{c.stride, c.padding, c.dilation, c.groups};
    return product(c, [&](const Var& w) { return op::conv2d(Var(in(0)), w, {}, options); });
  }

  Tensor run(const Linear& l) {
    return product(l, [&](const Var& w) { return op::linear(Var(in(0)), w); });
  }

  // A sum over windows is a convolution with ones, channel by channel.
  Tensor run(const AvgPool2d& p) {
    const Index channels = in(0).dim(-1);
    Weight ones{.shape = {channels, p.height, p.width, 1},
                .width = {2},
                .grid = {{-1, 1}},
                .codes = {},
                .scale = {1}};
    ones.codes.assign(static_cast<std::size_t>(ones.shape.size()), 1);
    const op::Conv2dOptions options{p.stride, p.padding, 1, channels};
    accumulators_.clear();
    for (const Tensor& part : exact_parts(ones, meaning(0).reach()))
      accumulate(accumulators_, op::conv2d(Var(in(0)), Var(part), {}, options).value());
    return requantized(accumulators_, shape(), op_->output, {&p.multiplier, 1}, {&p.offset, 1});
  }

  Tensor run(const Add& a) {
    return map(
        [&a, &value = op_->output](float q1, float q2) {
          const std::int32_t q =
              quant::requantize_sum(static_cast<std::int32_t>(q1), a.first,
                                    static_cast<std::int32_t>(q2), a.second, a.offset, value.grid);
          return static_cast<float>(q - value.zero);
        },
        in(0), in(1));
  }

  Tensor run(const MaxPool2d& p) {
    return op::max_pool2d(Var(in(0)), {p.kernel, p.stride, p.padding}).value();
  }

  Tensor run(const Clamp& c) {
    const std::int32_t zero = meaning(0).zero;
    return op::clip(Var(in(0)), static_cast<float>(c.low - zero), static_cast<float>(c.high - zero))
        .value();
  }

  Tensor run(const PadChannels& p) {
    return op::pad_channels(Var(in(0)), p.before, p.after).value();
  }

  Tensor run(const Reshape&) { return in(0).reshape(shape()); }

  const Graph& graph_;
  Index samples_;
  const Op* op_ = nullptr;
  std::vector<Tensor> values_;
  Integers accumulators_;  // of the newest product or average
};

}  // namespace

std::vector<Tensor> exact_parts(const Weight& weight, std::int64_t reach) {
  const Index rows = weight.shape[0], length = weight.shape.size() / rows;
  std::vector<Tensor> parts;
  for (Index row = 0; row < rows; ++row) {
    std::size_t part = 0;
    std::int64_t sum = 0;
    for (Index i = row * length; i < (row + 1) * length; ++i) {
      const int code = weight.codes[static_cast<std::size_t>(i)];
      sum += std::abs(code) * reach;
      if (sum > exact_limit) {
        ++part;
        sum = std::abs(code) * reach;
      }
      if (part == parts.size()) parts.emplace_back(weight.shape, 0.0f);
      parts[part][i] = static_cast<float>(code);
    }
  }
  return parts;
}

Tensor logits_of(const Graph& graph, const Integers& accumulators, Index samples) {
  const Op& last = graph.ops.back();
  const Product& product = *product_of(last);
  const Index row = last.output.shape.size(), channels = last.output.shape[-1];
  Tensor logits({samples, row});
  for (Index i = 0; i < logits.size(); ++i) {
    const auto c = static_cast<std::size_t>(i % channels);
    const float scaled =
        static_cast<float>(accumulators[static_cast<std::size_t>(i)]) * product.multiplier[c];
    logits[i] = scaled + product.offset[c];
  }
  return logits;
}

std::vector<Index> predictions(const Outputs& outputs) {
  const Index classes = outputs.logits.dim(1);
  std::vector<Index> result;
  for (Index n = 0; n < outputs.logits.dim(0); ++n) {
    const float* row = outputs.logits.data() + n * classes;
    result.push_back(std::max_element(row, row + classes) - row);
  }
  return result;
}

Outputs evaluate(const Graph& graph, const Tensor& images, bool keep_values) {
  const auto dims = images.shape().dims();
  check(images.rank() >= 1 && Shape(dims.subspan(1)) == graph.input.shape,
        "[evaluate] wrong images: got ", images.shape(), "; expected [N, ...] of ",
        graph.input.shape, " each");
  return Evaluation(graph, images).outputs(keep_values);
}

}  // namespace fraqat::deploy
