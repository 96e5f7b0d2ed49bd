// The steps of optimizers, the formulas of which stand in optim/.  Written plainly;
// the compiler finds the vectors.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

void sgd_plain(const SgdStep& step, Real* __restrict__ w, const Real* __restrict__ g, Index n) {
  const SgdStep s = step;
  for (Index i = 0; i < n; ++i) w[i] = s.shrink * w[i] - s.rate * (g[i] + s.coupled * w[i]);
}

void sgd_with_momentum(const SgdStep& step, Real* __restrict__ w, Real* __restrict__ m,
                       const Real* __restrict__ g, Index n) {
  const SgdStep s = step;
  // Nesterov's look-ahead g + mu m and the plain m are one expression: a g + b m.
  const Real a = s.nesterov ? 1 : 0, b = s.nesterov ? s.momentum : 1;
  for (Index i = 0; i < n; ++i) {
    const Real slope = g[i] + s.coupled * w[i];
    m[i] = s.momentum * m[i] + slope;
    w[i] = s.shrink * w[i] - s.rate * (a * slope + b * m[i]);
  }
}

[[gnu::always_inline]] inline Real root(Real v) {
  return sizeof(Real) == sizeof(float) ? Real(__builtin_sqrtf(float(v)))
                                       : Real(__builtin_sqrt(double(v)));
}

template <bool centered, bool momentum>
void rmsprop(const RmsPropStep& step, Real* __restrict__ w, Real* __restrict__ v,
             Real* __restrict__ a, Real* __restrict__ m, const Real* __restrict__ gradient,
             Index n) {
  const RmsPropStep s = step;
  for (Index i = 0; i < n; ++i) {
    const Real g = gradient[i] + s.decay * w[i];
    v[i] = s.alpha * v[i] + s.rest * (g * g);
    Real spread = v[i];
    if constexpr (centered) {
      a[i] = s.alpha * a[i] + s.rest * g;
      spread -= a[i] * a[i];
      spread = spread > 0 ? spread : 0;
    }
    Real move = g / (root(spread) + s.epsilon);
    if constexpr (momentum) move = m[i] = s.momentum * m[i] + move;
    w[i] -= s.rate * move;
  }
}

/// What is not a number stays so, and is seen in the weights.
[[gnu::always_inline]] inline Real sign(Real x) {
  const Real s = x > 0 ? Real(1) : x;
  return x < 0 ? Real(-1) : s;
}

}  // namespace

void steps_sgd(const SgdStep& step, Real* w, Real* m, const Real* g, Index n) {
  m ? sgd_with_momentum(step, w, m, g, n) : sgd_plain(step, w, g, n);
}

void steps_adam(const AdamStep& step, Real* __restrict__ w, Real* __restrict__ m,
                Real* __restrict__ v, const Real* __restrict__ gradient, Index n) {
  const AdamStep s = step;
  for (Index i = 0; i < n; ++i) {
    const Real g = gradient[i] + s.coupled * w[i];
    m[i] = s.beta1 * m[i] + s.rest1 * g;
    v[i] = s.beta2 * v[i] + s.rest2 * (g * g);
    w[i] = s.shrink * w[i] - s.rate * m[i] / (root(v[i]) * s.root + s.epsilon);
  }
}

void steps_rmsprop(const RmsPropStep& step, Real* w, Real* v, Real* a, Real* m, const Real* g,
                   Index n) {
  const auto run = a ? (m ? rmsprop<true, true> : rmsprop<true, false>)
                     : (m ? rmsprop<false, true> : rmsprop<false, false>);
  run(step, w, v, a, m, g, n);
}

void steps_adagrad(const AdagradStep& step, Real* __restrict__ w, Real* __restrict__ v,
                   const Real* __restrict__ gradient, Index n) {
  const AdagradStep s = step;
  for (Index i = 0; i < n; ++i) {
    const Real g = gradient[i] + s.decay * w[i];
    v[i] += g * g;
    w[i] -= s.rate * g / (root(v[i]) + s.epsilon);
  }
}

void steps_lion(const LionStep& step, Real* __restrict__ w, Real* __restrict__ m,
                const Real* __restrict__ g, Index n) {
  const LionStep s = step;
  for (Index i = 0; i < n; ++i) {
    w[i] = s.shrink * w[i] - s.rate * sign(s.beta1 * m[i] + s.rest1 * g[i]);
    m[i] = s.beta2 * m[i] + s.rest2 * g[i];
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
