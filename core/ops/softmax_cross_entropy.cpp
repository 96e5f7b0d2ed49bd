#include "core/elementwise.hpp"
#include "core/indices.hpp"
#include "core/ops.hpp"
#include "core/softmax_row.hpp"

/// L = -(1 / N) sum over n, c of t[n, c] log p[n, c],   p = softmax(z),
///
/// with targets t = (1 - s) [c = label[n]] + s / C, or (1 - s) given[n, c] + s / C,
/// s the label smoothing (Szegedy et al., 2016).  With T the sum of a row of t,
/// which is 1 for labels,
///
///   -sum over c of t log p = T log(sum over c of e^z) - sum over c of t z
///
/// where a term whose t is 0 is 0, whatever z: a class may be masked by -infinity.
///
///   dL/dz[n, c] = (T p[n, c] - t[n, c]) / N
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

// One whole number a row.
struct Labels {
  Tensor labels;
  Real smoothing;

  double loss(Index n, const Real* z, double log_sum, Index classes) const {
    const double hard = log_sum - double(1 - smoothing) * double(z[Index(labels[n])]);
    if (smoothing == 0) return hard;
    double sum = 0;
    for (Index c = 0; c < classes; ++c) sum += double(z[c]);
    return hard - double(smoothing) * sum / double(classes);
  }

  void gradient(Index n, const Real* p, Real factor, Real* dz, Index classes) const {
    const Real uniform_part = smoothing / Real(classes);
    for (Index c = 0; c < classes; ++c) dz[c] = factor * (p[c] - uniform_part);
    dz[Index(labels[n])] -= factor * (1 - smoothing);
  }
};

// One number a class.
struct Distributions {
  Tensor given;
  Real smoothing;

  double loss(Index n, const Real* z, double log_sum, Index classes) const {
    double sum = 0;
    for (Index c = 0; c < classes; ++c)
      if (const double t = target(n, c); t != 0) sum += t * (log_sum - double(z[c]));
    return sum;
  }

  void gradient(Index n, const Real* p, Real factor, Real* dz, Index classes) const {
    double total = 0;
    for (Index c = 0; c < classes; ++c) total += target(n, c);
    for (Index c = 0; c < classes; ++c) dz[c] = factor * (Real(total) * p[c] - Real(target(n, c)));
  }

 private:
  double target(Index n, Index c) const {
    const Index classes = given.dim(1);
    return double(1 - smoothing) * double(given[n * classes + c]) +
           double(smoothing) / double(classes);
  }
};

template <class Targets>
struct SoftmaxCrossEntropy {
  static constexpr std::string_view name = "softmax_cross_entropy";
  Targets targets;
  Tensor p = {};

  void describe(Attributes& a) const { a("smoothing", targets.smoothing); }

  Tensor forward(const Tensor& z) {
    p = Tensor(z.shape());
    const Index rows = z.dim(0), classes = z.dim(1);
    const double loss =
        parallel_sum<double>(rows, grain_rows(8 * classes), [&](Index begin, Index end) {
          double sum = 0;
          for (Index n = begin; n < end; ++n) {
            const Real* row = z.data() + n * classes;
            const double log_sum = double(softmax_row(row, p.data() + n * classes, classes));
            sum += targets.loss(n, row, log_sum, classes);
          }
          return sum;
        });
    return Tensor::scalar(Real(loss / double(rows)));
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const Index rows = p.dim(0), classes = p.dim(1);
    const Real factor = dy.item() / Real(rows);
    Tensor dz(p.shape());
    parallel_chunks(rows, grain_rows(classes), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        targets.gradient(n, p.data() + n * classes, factor, dz.data() + n * classes, classes);
    });
    return {dz};
  }
};

}  // namespace

Var softmax_cross_entropy(const Var& logits, const Tensor& targets, Real smoothing) {
  const Tensor& z = logits.value();
  check(z.rank() == 2 && z.size() > 0, "[softmax_cross_entropy] no rows of logits: got ",
        logits.shape(), "; expected logits[n, classes], neither 0");
  const bool soft = targets.rank() == 2;
  check(targets.shape() == (soft ? z.shape() : Shape{z.dim(0)}),
        "[softmax_cross_entropy] wrong targets: got ", targets.shape(), "; expected labels ",
        Shape{z.dim(0)}, " or distributions ", z.shape());
  check(smoothing >= 0 && smoothing < 1, "[softmax_cross_entropy] impossible smoothing: got ",
        smoothing, "; expected 0 <= smoothing < 1");
  if (soft) return apply(SoftmaxCrossEntropy<Distributions>{{targets, smoothing}}, logits);
  check_indices("softmax_cross_entropy", "label", targets, z.dim(1));
  return apply(SoftmaxCrossEntropy<Labels>{{targets, smoothing}}, logits);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
