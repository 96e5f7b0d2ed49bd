// Rows of channels: the sums over rows and the scalings of batch norm.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

// Sums are in double, where x^2 loses no digits: as many numbers as fill a vector then.
constexpr Index D = vector_bytes / static_cast<Index>(sizeof(double));
typedef double Doubles __attribute__((vector_size(vector_bytes)));
typedef double UnalignedDoubles
    __attribute__((vector_size(vector_bytes), aligned(alignof(double)), may_alias));
typedef Real Part __attribute__((vector_size(D * sizeof(Real))));

[[gnu::always_inline]] inline void add_to(double* sum, double v) { *sum += v; }
[[gnu::always_inline]] inline void add_to(double* sum, Doubles v) {
  *reinterpret_cast<UnalignedDoubles*>(sum) += v;
}
[[gnu::always_inline]] inline double widen(Real v) { return double(v); }
[[gnu::always_inline]] inline Doubles widen(Part v) { return __builtin_convertvector(v, Doubles); }

template <class V>
using Wide = decltype(widen(V{}));

// Calls strip.operator()<V, W>(c, begin, end) for the channels [c, c + W lanes of V)
// of the rows [begin, end): what belongs to a channel stays in registers over
// these, and their numbers in the first cache until all of their strips are done.
template <class V, class Strip>
[[gnu::always_inline]] inline void each_strip(Index rows, Index C, const Strip& strip) {
  constexpr Index numbers = 4096, wide = 16, W = wide / lanes_of<V>;
  const Index block = at_least(1, numbers / C);
  for (Index begin = 0; begin < rows; begin += block) {
    const Index end = at_most(rows, begin + block);
    Index c = 0;
    for (; c + wide <= C; c += wide) strip.template operator()<V, W>(c, begin, end);
    for (; c + lanes_of<V> <= C; c += lanes_of<V>) strip.template operator()<V, 1>(c, begin, end);
    for (; c < C; ++c) strip.template operator()<Real, 1>(c, begin, end);
  }
}

// The numbers of W neighbours.
template <class V, Index W>
struct Neighbours {
  [[gnu::always_inline]] explicit Neighbours(const Real* from) {
    for (Index w = 0; w < W; ++w) at[w] = read<V>(from + w * lanes_of<V>);
  }
  [[gnu::always_inline]] V operator[](Index w) const { return at[w]; }

  V at[W];
};

// What batch norm does before it rectifies: where this is not positive, no gradient passes.
template <class V>
[[gnu::always_inline]] inline V scaled(V centred, V factor, V shift) {
  return centred * factor + shift;
}

template <class V, Index W>
struct ChannelSums {
  [[gnu::always_inline]] void join(double* sums, Index C) const {
    for (Index w = 0; w < W; ++w) {
      add_to(sums + w * lanes_of<V>, first[w]);
      add_to(sums + C + w * lanes_of<V>, second[w]);
    }
  }

  Wide<V> first[W] = {}, second[W] = {};
};

template <bool with_addend, bool relu>
void scale_rows(const ChannelScale& s, Index rows, const Real* x, const Real* addend, Real* y) {
  each_strip<Vector>(rows, s.C, [&]<class V, Index W>(Index c, Index begin, Index end) {
    const Neighbours<V, W> mean(s.mean + c), factor(s.factor + c), shift(s.shift + c);
    for (Index r = begin; r < end; ++r)
      for (Index w = 0; w < W; ++w) {
        const Index i = r * s.C + c + w * lanes_of<V>;
        V v = scaled<V>(read<V>(x + i) - mean[w], factor[w], shift[w]);
        if constexpr (with_addend) v += read<V>(addend + i);
        if constexpr (relu) v = v <= V{} ? V{} : v;
        write(y + i, v);
      }
  });
}

enum class Passes { all, where_scaled, where_y };

template <Passes passes>
void sum_products(const ChannelScale& s, Index rows, const Real* x, const Real* dy, const Real* y,
                  Real* h, double* sums) {
  each_strip<Part>(rows, s.C, [&]<class V, Index W>(Index c, Index begin, Index end) {
    const Neighbours<V, W> mean(s.mean + c), factor(s.factor + c), shift(s.shift + c);
    ChannelSums<V, W> sum;
    for (Index r = begin; r < end; ++r)
      for (Index w = 0; w < W; ++w) {
        const Index i = r * s.C + c + w * lanes_of<V>;
        const V centred = read<V>(x + i) - mean[w];
        V d = read<V>(dy + i);
        if constexpr (passes == Passes::where_scaled)
          d = scaled<V>(centred, factor[w], shift[w]) > V{} ? d : V{};
        if constexpr (passes == Passes::where_y) write(h + i, d = read<V>(y + i) > V{} ? d : V{});
        sum.first[w] += widen(d);
        sum.second[w] += widen(d) * widen(centred);
      }
    sum.join(sums + c, s.C);
  });
}

template <bool relu>
void gradient_rows(const ChannelScale& s, const Real* level, const Real* slope, Index rows,
                   const Real* x, const Real* dy, Real* dx) {
  each_strip<Vector>(rows, s.C, [&]<class V, Index W>(Index c, Index begin, Index end) {
    const Neighbours<V, W> mean(s.mean + c), factor(s.factor + c), shift(s.shift + c);
    const Neighbours<V, W> l(level + c), k(slope + c);
    for (Index r = begin; r < end; ++r)
      for (Index w = 0; w < W; ++w) {
        const Index i = r * s.C + c + w * lanes_of<V>;
        const V centred = read<V>(x + i) - mean[w];
        V d = read<V>(dy + i);
        if constexpr (relu) d = scaled<V>(centred, factor[w], shift[w]) > V{} ? d : V{};
        write<V>(dx + i, factor[w] * (d - l[w] - k[w] * centred));
      }
  });
}

}  // namespace

void channels_moments(Index C, Index rows, const Real* x, double* sums) {
  each_strip<Part>(rows, C, [&]<class V, Index W>(Index c, Index begin, Index end) {
    ChannelSums<V, W> sum;
    for (Index r = begin; r < end; ++r)
      for (Index w = 0; w < W; ++w) {
        const Wide<V> v = widen(read<V>(x + r * C + c + w * lanes_of<V>));
        sum.first[w] += v;
        sum.second[w] += v * v;
      }
    sum.join(sums + c, C);
  });
}

void channels_forward(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                      const Real* addend, Real* y) {
  if (addend)
    relu ? scale_rows<true, true>(scale, rows, x, addend, y)
         : scale_rows<true, false>(scale, rows, x, addend, y);
  else
    relu ? scale_rows<false, true>(scale, rows, x, addend, y)
         : scale_rows<false, false>(scale, rows, x, addend, y);
}

void channels_products(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                       const Real* dy, const Real* y, Real* h, double* sums) {
  if (y)
    sum_products<Passes::where_y>(scale, rows, x, dy, y, h, sums);
  else if (relu)
    sum_products<Passes::where_scaled>(scale, rows, x, dy, y, h, sums);
  else
    sum_products<Passes::all>(scale, rows, x, dy, y, h, sums);
}

void channels_backward(const ChannelScale& scale, const Real* level, const Real* slope, Index rows,
                       bool relu, const Real* x, const Real* dy, Real* dx) {
  relu ? gradient_rows<true>(scale, level, slope, rows, x, dy, dx)
       : gradient_rows<false>(scale, level, slope, rows, x, dy, dx);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
