#include "quant/deploy/engine.hpp"

#include <algorithm>
#include <limits>

#include "core/parallel.hpp"

namespace fraqat::deploy {
namespace {

using Code = std::int16_t;  // less the zero-point: at most 255 either way

constexpr Index lanes = 16;       // rows of weights are multiples of this long
constexpr Index most_tasks = 32;  // each has memory of its own

Index round_up(Index n) { return (n + lanes - 1) / lanes * lanes; }

/// acc[o] = sum over i of x[i] w[o, i] for `count` rows of w.  Bounds proved by
/// append() keep every partial sum, in any order, within 32 bits.
void dot_products(const Code* __restrict__ x, const Code* __restrict__ w, Index stride, Index count,
                  std::int32_t* __restrict__ acc) {
  Index o = 0;
  for (; o + 4 <= count; o += 4, w += 4 * stride) {  // x is loaded once for four rows
    const Code *w1 = w + stride, *w2 = w1 + stride, *w3 = w2 + stride;
    std::int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (Index i = 0; i < stride; ++i) {
      a0 += std::int32_t{x[i]} * w[i];
      a1 += std::int32_t{x[i]} * w1[i];
      a2 += std::int32_t{x[i]} * w2[i];
      a3 += std::int32_t{x[i]} * w3[i];
    }
    acc[o] = a0, acc[o + 1] = a1, acc[o + 2] = a2, acc[o + 3] = a3;
  }
  for (; o < count; ++o, w += stride) {
    std::int32_t a = 0;
    for (Index i = 0; i < stride; ++i) a += std::int32_t{x[i]} * w[i];
    acc[o] = a;
  }
}

/// The window of x[H, W, C] at (top, left), `channels` of them from `channel`
/// on, as one row [R, S, channels]; zeros outside the image.
void gather(const Conv2d& c, const Shape& x_shape, const Code* x, Index top, Index left,
            Index channel, Index channels, Code* patch) {
  const Index H = x_shape[0], W = x_shape[1], C = x_shape[2];
  const Index R = c.weight.shape[1], S = c.weight.shape[2];
  for (Index r = 0; r < R; ++r) {
    const Index h = top + r * c.dilation;
    if (h < 0 || h >= H) {
      patch = std::fill_n(patch, S * channels, Code{0});
    } else if (c.dilation == 1 && channels == C) {  // pixels that are neighbours in memory
      const Index before = std::clamp<Index>(-left, 0, S), end = std::clamp<Index>(W - left, 0, S);
      patch = std::fill_n(patch, before * C, Code{0});
      patch =
          std::copy_n(x + (h * W + left + before) * C, std::max<Index>(0, end - before) * C, patch);
      patch = std::fill_n(patch, (S - std::max(before, end)) * C, Code{0});
    } else {
      for (Index s = 0; s < S; ++s) {
        const Index w = left + s * c.dilation;
        patch = w < 0 || w >= W ? std::fill_n(patch, channels, Code{0})
                                : std::copy_n(x + (h * W + w) * C + channel, channels, patch);
      }
    }
  }
}

/// Calls body(first, last, offset) for the pixels of every window of x[H, W, .],
/// clipped to the image, in the order of the output.
template <class Body>
void windows(const Shape& x, const Shape& y, Index height, Index width, Index stride, Index padding,
             Body body) {
  for (Index p = 0; p < y[0]; ++p)
    for (Index q = 0; q < y[1]; ++q) {
      const Index top = p * stride - padding, left = q * stride - padding;
      body((p * y[1] + q) * y[2], std::max<Index>(0, top), std::min(x[0], top + height),
           std::max<Index>(0, left), std::min(x[1], left + width));
    }
}

}  // namespace

Engine::Engine(Graph graph) : graph_(std::move(graph)), rows_(graph_.ops.size()) {
  for (std::size_t i = 0; i <= graph_.ops.size(); ++i) {
    const Index size = graph_.value(static_cast<int>(i)).shape.size();
    offsets_.push_back(codes_per_sample_);
    codes_per_sample_ += round_up(size);
    accumulators_per_sample_ = std::max(accumulators_per_sample_, size);
  }
  for (std::size_t i = 0; i < graph_.ops.size(); ++i) {
    const Product* product = product_of(graph_.ops[i]);
    if (!product) continue;
    const Weight& weight = product->weight;
    Rows& rows = rows_[i];
    rows.length = weight.shape.size() / weight.shape[0];
    rows.stride = round_up(rows.length);
    rows.codes.resize(static_cast<std::size_t>(rows.stride * weight.shape[0]));
    for (Index o = 0; o < weight.shape[0]; ++o)
      std::copy_n(weight.codes.data() + o * rows.length, rows.length,
                  rows.codes.data() + o * rows.stride);
    longest_patch_ = std::max(longest_patch_, rows.stride);
  }
}

/// The memory of one task, and the way of one sample through it.
class Engine::Sample {
 public:
  explicit Sample(const Engine& engine)
      : engine_(engine),
        codes_(static_cast<std::size_t>(engine.codes_per_sample_)),
        patch_(static_cast<std::size_t>(engine.longest_patch_)),
        accumulators_(static_cast<std::size_t>(engine.accumulators_per_sample_)) {}

  void run(const float* image) {
    const Value& input = engine_.graph_.input;
    Code* codes = values(0);
    for (Index i = 0; i < input.shape.size(); ++i)
      codes[i] = static_cast<Code>(quant::quantize(image[i], input.scale, input.zero, input.grid) -
                                   input.zero);
    for (std::size_t i = 0; i < engine_.graph_.ops.size(); ++i) {
      op_ = &engine_.graph_.ops[i];
      position_ = i;
      std::visit([this](const auto& what) { apply(what); }, op_->what);
    }
  }

  /// Valid after run(): the last op's accumulators, and the centred codes.
  const std::int32_t* accumulators() const { return accumulators_.data(); }
  Code* values(std::size_t i) { return codes_.data() + engine_.offsets_[i]; }

 private:
  const Value& input(std::size_t i = 0) const { return engine_.graph_.value(op_->inputs[i]); }
  const Code* in(std::size_t i = 0) { return values(static_cast<std::size_t>(op_->inputs[i])); }
  const Value& output() const { return op_->output; }
  Code* out() { return values(position_ + 1); }

  void requantize(const float* multiplier, const float* offset, Index channels) {
    if (output().accumulators()) return;
    const Grid grid = output().grid;
    const std::int32_t zero = output().zero;
    const std::int32_t* acc = accumulators_.data();
    Code* to = out();
    for (Index i = 0; i < output().shape.size(); i += channels)
      for (Index c = 0; c < channels; ++c)
        to[i + c] =
            static_cast<Code>(quant::requantize(acc[i + c], multiplier[c], offset[c], grid) - zero);
  }

  void apply(const Conv2d& c) {
    const Rows& rows = engine_.rows_[position_];
    const Shape &x = input().shape, &y = output().shape;
    const Index channels = c.weight.shape[3], group = y[2] / c.groups;
    std::fill(patch_.begin(), patch_.end(), Code{0});
    std::int32_t* acc = accumulators_.data();
    for (Index p = 0; p < y[0]; ++p)
      for (Index q = 0; q < y[1]; ++q)
        for (Index g = 0; g < c.groups; ++g, acc += group) {
          gather(c, x, in(), p * c.stride - c.padding, q * c.stride - c.padding, g * channels,
                 channels, patch_.data());
          dot_products(patch_.data(), rows.codes.data() + g * group * rows.stride, rows.stride,
                       group, acc);
        }
    requantize(c.multiplier.data(), c.offset.data(), y[2]);
  }

  void apply(const Linear& l) {
    const Rows& rows = engine_.rows_[position_];
    std::fill(patch_.begin(), patch_.end(), Code{0});
    std::copy_n(in(), rows.length, patch_.data());
    dot_products(patch_.data(), rows.codes.data(), rows.stride, output().shape[0],
                 accumulators_.data());
    requantize(l.multiplier.data(), l.offset.data(), output().shape[0]);
  }

  void apply(const AvgPool2d& p) {
    const Shape &x = input().shape, &y = output().shape;
    std::fill_n(accumulators_.begin(), y.size(), 0);
    windows(x, y, p.height, p.width, p.stride, p.padding,
            [&](Index to, Index h0, Index h1, Index w0, Index w1) {
              for (Index h = h0; h < h1; ++h)
                for (Index w = w0; w < w1; ++w)
                  for (Index c = 0; c < x[2]; ++c)
                    accumulators_[static_cast<std::size_t>(to + c)] +=
                        in()[(h * x[1] + w) * x[2] + c];
            });
    requantize(&p.multiplier, &p.offset, 1);
  }

  void apply(const MaxPool2d& p) {
    const Shape &x = input().shape, &y = output().shape;
    std::fill_n(out(), y.size(), std::numeric_limits<Code>::min());
    windows(x, y, p.kernel, p.kernel, p.stride, p.padding,
            [&](Index to, Index h0, Index h1, Index w0, Index w1) {
              for (Index h = h0; h < h1; ++h)
                for (Index w = w0; w < w1; ++w)
                  for (Index c = 0; c < x[2]; ++c)
                    out()[to + c] = std::max(out()[to + c], in()[(h * x[1] + w) * x[2] + c]);
            });
  }

  void apply(const Add& a) {
    for (Index i = 0; i < output().shape.size(); ++i)
      out()[i] = static_cast<Code>(
          quant::requantize_sum(in(0)[i], a.first, in(1)[i], a.second, a.offset, output().grid) -
          output().zero);
  }

  void apply(const Clamp& c) {
    const auto low = static_cast<Code>(c.low - output().zero);
    const auto high = static_cast<Code>(c.high - output().zero);
    for (Index i = 0; i < output().shape.size(); ++i) out()[i] = std::clamp(in()[i], low, high);
  }

  void apply(const PadChannels& p) {
    const Index channels = input().shape[-1], pixels = input().shape.size() / channels;
    Code* to = out();
    for (Index i = 0; i < pixels; ++i) {
      to = std::fill_n(to, p.before, Code{0});
      to = std::copy_n(in() + i * channels, channels, to);
      to = std::fill_n(to, p.after, Code{0});
    }
  }

  void apply(const Reshape&) { std::copy_n(in(), output().shape.size(), out()); }

  const Engine& engine_;
  std::vector<Code, PoolAllocator<Code>> codes_, patch_;
  Integers accumulators_;
  const Op* op_ = nullptr;
  std::size_t position_ = 0;
};

Outputs Engine::run(const Tensor& images, bool keep_values) const {
  const auto dims = images.shape().dims();
  check(images.rank() >= 1 && Shape(dims.subspan(1)) == graph_.input.shape,
        "[engine] wrong images: got ", images.shape(), "; expected [N, ...] of ",
        graph_.input.shape, " each");
  const Index samples = images.dim(0), classes = graph_.ops.back().output.shape.size();
  Outputs result;
  result.accumulators.resize(static_cast<std::size_t>(samples * classes));
  if (keep_values)
    for (int i = 0; i < static_cast<int>(graph_.ops.size()); ++i)
      result.values.emplace_back(static_cast<std::size_t>(samples * graph_.value(i).shape.size()));

  const Index each = std::max<Index>(1, (samples + most_tasks - 1) / most_tasks);
  std::vector<Sample> tasks(static_cast<std::size_t>((samples + each - 1) / each), Sample(*this));
  parallel_chunks(samples, each, [&](Index begin, Index end) {
    Sample& sample = tasks[static_cast<std::size_t>(begin / each)];
    for (Index n = begin; n < end; ++n) {
      sample.run(images.data() + n * graph_.input.shape.size());
      std::copy_n(sample.accumulators(), classes, result.accumulators.begin() + n * classes);
      for (std::size_t i = 0; i < result.values.size(); ++i) {
        const Value& value = graph_.value(static_cast<int>(i));
        const Index size = value.shape.size();
        std::transform(sample.values(i), sample.values(i) + size,
                       result.values[i].begin() + n * size,
                       [zero = value.zero](Code q) { return q + zero; });
      }
    }
  });
  if (keep_values) result.values.push_back(result.accumulators);
  result.logits = logits_of(graph_, result.accumulators, samples);
  return result;
}

}  // namespace fraqat::deploy
