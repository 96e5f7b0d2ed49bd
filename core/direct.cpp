#include "core/convolution.hpp"
#include "core/parallel.hpp"

namespace fraqat::inline FRAQAT_PRECISION::direct {
namespace {

const kernels::Table::Direct& kernel() { return kernels::active().direct; }

constexpr Index group_numbers = 1 << 15;  // of x and y of the samples that go together

ImagePitch pitch(Index rows, Index columns, Index channels) {
  return {rows * columns * channels, columns * channels, channels};
}

DirectConvolution direct(const Convolution& c) {
  return {{c.H, c.P, c.R, -c.top, c.stride, c.dilation},
          {c.W, c.Q, c.S, -c.left, c.stride, c.dilation},
          c.group_inputs(),
          c.group_outputs(),
          pitch(c.H, c.W, c.C),
          pitch(c.P, c.Q, c.O)};
}

WeightPitch weight_pitch(const Convolution& c) {
  return {c.patch(), c.S * c.group_inputs(), c.group_inputs(), 1};
}

// By runs of samples that go together, in parallel; `then(n, count)` follows each.
template <class Then>
void run(const DirectConvolution& d, Index samples, const Real* x, const Real* packed, Real* y,
         const Then& then) {
  const SampleChunks chunks(samples);
  const Index most = std::max(Index{1}, group_numbers / (d.x.sample + d.y.sample));
  parallel_for(chunks.count, [&](Index chunk) {
    for (Index n = chunks.begin(chunk); n < chunks.end(chunk); n += most) {
      const Index count = std::min(most, chunks.end(chunk) - n);
      kernel().forward(d, count, x + n * d.x.sample, packed, y + n * d.y.sample);
      then(n, count);
    }
  });
}

// The gradient to every stride-th row (or column) of x from `first` on is a
// convolution of dy with every stride-th row of the window, turned around.
struct Residue {
  Index first, tap;
  WindowAxis axis;
};

Residue residue(Index in, Index out, Index taps, Index first, Index padding, Index stride,
                Index dilation) {
  const Index tap = (first + padding) % stride;
  const Index count = tap < taps ? (taps - tap + stride - 1) / stride : 0;
  const Index origin = (first + padding) / stride - (count - 1) * dilation;
  return {first,
          tap + stride * (count - 1),
          {out, (in - first + stride - 1) / stride, count, origin, 1, dilation}};
}

// One group's dx at the pixels of two residues.
void backward_data(const Convolution& c, const Residue& row, const Residue& column, const Real* dy,
                   const Real* weight, Real* dx) {
  const ImagePitch x = pitch(c.H, c.W, c.C), w{0, c.S * c.group_inputs(), c.group_inputs()};
  const DirectConvolution d{
      row.axis,         column.axis,          c.group_outputs(),
      c.group_inputs(), pitch(c.P, c.Q, c.O), {x.sample, x.row * c.stride, x.column * c.stride}};
  Tensor packed({kernel().packed(d)});
  kernel().pack(d, {1, -c.stride * w.row, -c.stride * w.column, c.patch()},
                weight + row.tap * w.row + column.tap * w.column, nullptr, packed.data());
  run(d, c.N, dy, packed.data(), dx + row.first * x.row + column.first * x.column,
      [](Index, Index) {});
}

}  // namespace

bool suits_forward(const Convolution& c) { return c.group_outputs() >= kernel().lanes; }

bool suits_backward_data(const Convolution& c) {
  return c.group_inputs() >= kernel().lanes && (c.stride == 1 || c.dilation == 1);
}

bool suits_backward_weights(const Convolution& c) { return suits_forward(c); }

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y) {
  forward(c, x, weight, bias, y, {});
}

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y,
             const Finish& finish) {
  const DirectConvolution d = direct(c);
  Tensor packed({kernel().packed(d)});
  for (Index g = 0; g < c.groups; ++g) {
    kernel().pack(d, weight_pitch(c), weight + g * d.O * c.patch(), bias ? bias + g * d.O : nullptr,
                  packed.data());
    const bool whole = finish && g == c.groups - 1;
    run(d, c.N, x + g * d.C, packed.data(), y + g * d.O, [&](Index n, Index count) {
      if (whole) finish(n * c.outputs(), count * c.outputs(), y);
    });
  }
}

void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx) {
  for (Index g = 0; g < c.groups; ++g)
    for (Index h = 0; h < std::min(c.stride, c.H); ++h)
      for (Index w = 0; w < std::min(c.stride, c.W); ++w)
        backward_data(c, residue(c.H, c.P, c.R, h, c.top, c.stride, c.dilation),
                      residue(c.W, c.Q, c.S, w, c.left, c.stride, c.dilation),
                      dy + g * c.group_outputs(), weight + g * c.group_outputs() * c.patch(),
                      dx + g * c.group_inputs());
}

void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias) {
  const DirectConvolution d = direct(c);
  const Index size = kernel().packed(d);
  const SampleChunks chunks(c.N, size > (1 << 14) ? 8 : 1);
  Tensor parts({chunks.count, size});
  for (Index g = 0; g < c.groups; ++g) {
    parallel_for(chunks.count, [&](Index chunk) {
      const Index n = chunks.begin(chunk);
      kernel().backward_weights(d, chunks.end(chunk) - n, x + n * d.x.sample + g * d.C,
                                dy + n * d.y.sample + g * d.O, false, dbias != nullptr,
                                parts.data() + chunk * size);
    });
    join_parts(parts.data(), chunks.count, size);
    kernel().unpack(d, weight_pitch(c), parts.data(), dweight + g * d.O * c.patch(),
                    dbias ? dbias + g * d.O : nullptr);
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION::direct
