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

constexpr Index strip = 16;  // channels

// Calls body.operator()<V, W>(c, begin, end) for the channels [c, c + W lanes of V)
// of the rows [begin, end): what belongs to a channel stays in registers over
// these, and their numbers in the first cache until all of their strips are done.
template <class V, class Body>
[[gnu::always_inline]] inline void each_strip(Index rows, Index C, const Body& body) {
  constexpr Index numbers = 4096, W = strip / lanes_of<V>;
  const Index block = at_least(1, numbers / C);
  for (Index begin = 0; begin < rows; begin += block) {
    const Index end = at_most(rows, begin + block);
    Index c = 0;
    for (; c + strip <= C; c += strip) body.template operator()<V, W>(c, begin, end);
    for (; c + lanes_of<V> <= C; c += lanes_of<V>) body.template operator()<V, 1>(c, begin, end);
    for (; c < C; ++c) body.template operator()<Real, 1>(c, begin, end);
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

void moments(Index C, Index rows, const Real* x, double* sums) {
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

// Rows that strips do not fill are taken several at a time, as one row in which
// every channel stands as often: six channels would leave vectors empty.
constexpr Index widest = 512;  // of such a row

Index rows_in_one(Index C, Index rows) {
  Index times = 1;
  while (C * times % strip != 0) times *= 2;
  return C * times <= widest && times <= rows ? times : 1;
}

// What channels have one of, for a row in which they stand `times` times.
class Repeated {
 public:
  Repeated(const Real* numbers, Index C, Index times) : numbers_(times == 1 ? numbers : copies_) {
    if (times == 1 || !numbers) return;
    for (Index i = 0; i < C * times; ++i) copies_[i] = numbers[i % C];
  }

  const Real* get() const { return numbers_; }

 private:
  const Real* numbers_;
  Real copies_[widest];
};

// Calls run(scale, begin, count) for `count` rows of scale.C numbers from row `begin`
// of C numbers on: wide rows, and those that are left over.
template <class Run>
void in_wide_rows(const ChannelScale& s, Index rows, const Run& run) {
  const Index times = rows_in_one(s.C, rows), left = rows % times;
  const Repeated mean(s.mean, s.C, times), factor(s.factor, s.C, times), shift(s.shift, s.C, times);
  run(ChannelScale{s.C * times, mean.get(), factor.get(), shift.get()}, Index{0}, rows / times);
  if (left > 0) run(s, rows - left, left);
}

// The same for run(scale, begin, count, sums): the two sums of every channel are
// those of the places it stands at, in their order.
template <class Run>
void sum_in_wide_rows(const ChannelScale& s, Index rows, double* sums, const Run& run) {
  in_wide_rows(s, rows, [&](const ChannelScale& scale, Index begin, Index count) {
    if (scale.C == s.C) return run(scale, begin, count, sums);
    double places[2 * widest];
    for (Index i = 0; i < 2 * scale.C; ++i) places[i] = 0;
    run(scale, begin, count, places);
    for (Index i = 0; i < scale.C; ++i) {
      sums[i % s.C] += places[i];
      sums[s.C + i % s.C] += places[scale.C + i];
    }
  });
}

}  // namespace

void channels_moments(Index C, Index rows, const Real* x, double* sums) {
  const ChannelScale none{C, nullptr, nullptr, nullptr};
  sum_in_wide_rows(none, rows, sums, [&](const auto& s, Index begin, Index count, double* to) {
    moments(s.C, count, x + begin * C, to);
  });
}

void channels_forward(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                      const Real* addend, Real* y) {
  in_wide_rows(scale, rows, [&](const ChannelScale& s, Index begin, Index count) {
    const Index at = begin * scale.C;
    const auto run = addend ? (relu ? scale_rows<true, true> : scale_rows<true, false>)
                            : (relu ? scale_rows<false, true> : scale_rows<false, false>);
    run(s, count, x + at, addend ? addend + at : nullptr, y + at);
  });
}

void channels_products(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                       const Real* dy, const Real* y, Real* h, double* sums) {
  sum_in_wide_rows(scale, rows, sums, [&](const auto& s, Index begin, Index count, double* to) {
    const Index at = begin * scale.C;
    const auto run = y      ? sum_products<Passes::where_y>
                     : relu ? sum_products<Passes::where_scaled>
                            : sum_products<Passes::all>;
    run(s, count, x + at, dy + at, y ? y + at : nullptr, y ? h + at : nullptr, to);
  });
}

void channels_backward(const ChannelScale& scale, const Real* level, const Real* slope, Index rows,
                       bool relu, const Real* x, const Real* dy, Real* dx) {
  in_wide_rows(scale, rows, [&](const ChannelScale& s, Index begin, Index count) {
    const Index at = begin * scale.C, times = s.C / scale.C;
    const Repeated levels(level, scale.C, times), slopes(slope, scale.C, times);
    const auto run = relu ? gradient_rows<true> : gradient_rows<false>;
    run(s, levels.get(), slopes.get(), count, x + at, dy + at, dx + at);
  });
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
