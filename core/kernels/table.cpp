#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {

Index lanes_scratch(const ConvolutionShape& c);
void lanes_forward(const ConvolutionShape& c, Index count, const Real* x, const Real* weight,
                   const Real* bias, Real* y, Real* scratch);
void lanes_backward_weights(const ConvolutionShape& c, Index count, const Real* x, const Real* dy,
                            Real* dweight, Real* dbias, Real* scratch);

constinit const Table table = {{L, lanes_scratch, lanes_forward, lanes_backward_weights}};

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
