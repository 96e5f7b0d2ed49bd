#include <cmath>

#include "core/elementwise.hpp"
#include "core/ops.hpp"
#include "core/softmax_row.hpp"

/// L = -(1 / N) sum over n, c of t[n, c] log p[n, c],   p = softmax(z),
///
/// with targets t = (1 - s) [c = label[n]] + s / C, s the label smoothing
/// (Szegedy et al., 2016).  Since the targets of a row sum to 1,
///
///   -sum over c of t log p = log(sum over c of e^z) - sum over c of t z
///
///   dL/dz[n, c] = (p[n, c] - t[n, c]) / N
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct SoftmaxCrossEntropy {
  static constexpr std::string_view name = "softmax_cross_entropy";
  Tensor labels;
  Real smoothing;
  Tensor p = {};

  void describe(Attributes& a) const { a("smoothing", smoothing); }

  Tensor forward(const Tensor& z) {
    p = Tensor(z.shape());
    const Index rows = z.dim(0), classes = z.dim(1);
    const double loss =
        parallel_sum<double>(rows, grain_rows(8 * classes), [&](Index begin, Index end) {
          double sum = 0;
          for (Index n = begin; n < end; ++n)
            sum += row_loss(z.data() + n * classes, p.data() + n * classes, labels[n], classes);
          return sum;
        });
    return Tensor::scalar(Real(loss / double(rows)));
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const Index rows = p.dim(0), classes = p.dim(1);
    const Real factor = dy.item() / Real(rows), uniform_part = smoothing / Real(classes);
    Tensor dz(p.shape());
    parallel_chunks(rows, grain_rows(classes), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n) {
        Real* out = dz.data() + n * classes;
        for (Index c = 0; c < classes; ++c) out[c] = factor * (p[n * classes + c] - uniform_part);
        out[Index(labels[n])] -= factor * (1 - smoothing);
      }
    });
    return {dz};
  }

 private:
  double row_loss(const Real* z, Real* row, Real label, Index classes) const {
    const double log_sum = double(softmax_row(z, row, classes));
    double sum = 0;
    for (Index c = 0; c < classes; ++c) sum += double(z[c]);
    return log_sum - double(1 - smoothing) * double(z[Index(label)]) -
           double(smoothing) * sum / double(classes);
  }
};

void check_labels(const Tensor& labels, Index classes) {
  for (Index n = 0; n < labels.size(); ++n) {
    const Real label = labels[n];
    check(label >= 0 && label < Real(classes) && label == std::floor(label),
          "[softmax_cross_entropy] impossible label at index ", n, ": got ", label,
          "; expected a whole number in [0, ", classes, ")");
  }
}

}  // namespace

Var softmax_cross_entropy(const Var& logits, const Tensor& labels, Real smoothing) {
  const Tensor& z = logits.value();
  check(z.rank() == 2 && z.size() > 0, "[softmax_cross_entropy] no rows of logits: got ",
        logits.shape(), "; expected logits[n, classes], neither 0");
  check(labels.shape() == Shape{z.dim(0)}, "[softmax_cross_entropy] wrong labels: got ",
        labels.shape(), "; expected ", Shape{z.dim(0)}, " for logits ", logits.shape());
  check(smoothing >= 0 && smoothing < 1, "[softmax_cross_entropy] impossible smoothing: got ",
        smoothing, "; expected 0 <= smoothing < 1");
  check_labels(labels, z.dim(1));
  return apply(SoftmaxCrossEntropy{labels, smoothing}, logits);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
