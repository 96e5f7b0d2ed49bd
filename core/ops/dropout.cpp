#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = m x, element by element, with m = 0 (probability p) or 1 / (1 - p), so
/// that the expected y is x (Srivastava et al., 2014).      dL/dx = m dL/dy
///
/// The mask is a function of the training step and of the element's place alone:
/// elements 4i .. 4i+3 of sample n (axis 0) take the four words of Philox at
/// (epoch, step, n, i), so it depends neither on threads nor on order.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Dropout {
  static constexpr std::string_view name = "dropout";
  Real p;
  Philox generator;
  Counter origin;
  Tensor mask = {};

  void describe(Attributes& a) const { a("p", p); }

  Tensor forward(const Tensor& x) {
    mask = Tensor(x.shape());
    const Index samples = x.rank() > 0 ? x.dim(0) : 1;
    const Index each = x.size() / std::max<Index>(1, samples);
    const Index blocks = (each + 3) / 4;
    parallel_chunks(samples * blocks, elementwise_grain / 8, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) draw(i / blocks, i % blocks, each);
    });
    return scaled(x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const { return {scaled(dy)}; }

 private:
  void draw(Index sample, Index block, Index each) {
    Counter counter = origin;
    counter.sample = static_cast<std::uint32_t>(sample);
    counter.block = static_cast<std::uint32_t>(block);
    const Philox::Block bits = generator(counter.words());
    Real* out = mask.data() + sample * each + 4 * block;
    const Index lanes = std::min<Index>(4, each - 4 * block);
    for (Index l = 0; l < lanes; ++l)
      out[l] = Real(uniform(bits[static_cast<std::size_t>(l)])) < p ? Real(0) : 1 / (1 - p);
  }

  Tensor scaled(const Tensor& t) const {
    return map([](Real v, Real m) { return v * m; }, t, mask);
  }
};

}  // namespace

Var dropout(const Var& x, Real p) {
  check(p >= 0 && p < 1, "[dropout] impossible probability: got p = ", p, "; expected 0 <= p < 1");
  TrainingStep* step = TrainingStep::current();
  if (!step || !step->noise()) return x;
  return apply(Dropout{p, step->generator(Stream::dropout), step->counter()}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
