#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {

Index lanes_scratch(const ConvolutionShape& c);
void lanes_forward(const ConvolutionShape& c, Index count, const Real* x, const Real* weight,
                   const Real* bias, Real* y, Real* scratch);
void lanes_backward_weights(const ConvolutionShape& c, Index count, const Real* x, const Real* dy,
                            bool add, Real* dweight, Real* dbias, Real* scratch);

Index direct_packed(const DirectConvolution& d);
void direct_pack(const DirectConvolution& d, const WeightPitch& pitch, const Real* weight,
                 const Real* bias, Real* packed);
void direct_forward(const DirectConvolution& d, Index count, const Real* x, const Real* packed,
                    Real* y);
void direct_backward_weights(const DirectConvolution& d, Index count, const Real* x, const Real* dy,
                             bool add, bool bias, Real* packed);
void direct_unpack(const DirectConvolution& d, const WeightPitch& pitch, const Real* packed,
                   Real* weight, Real* bias);

void max_pool_forward(const PoolRow& row, const Real* x, Real* y);
void max_pool_backward(const PoolRow& row, const Real* x, const Real* y, const Real* dy, Real* dx);

void averages_forward(const AverageWindow& window, const Real* x, Real* y);
void averages_backward(const AverageWindow& window, bool add, const Real* dy, Real* dx);

Real exponentials_largest(const Real* x, Index n);
Real exponentials_of_row(const Real* x, Real top, Real* y, Index n);

void channels_moments(Index C, Index rows, const Real* x, double* sums);
void channels_forward(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                      const Real* addend, Real* y);
void channels_products(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                       const Real* dy, const Real* y, Real* h, double* sums);
void channels_backward(const ChannelScale& scale, const Real* level, const Real* slope, Index rows,
                       bool relu, const Real* x, const Real* dy, Real* dx);

void levels_forward(const Level& level, bool add, const Real* x, Real* y, Index n);
void levels_backward(const Level& level, bool add, const Real* x, const Real* dy, Real* dx, Index n,
                     LevelSums& sums);

void steps_sgd(const SgdStep& step, Real* w, Real* m, const Real* g, Index n);
void steps_adam(const AdamStep& step, Real* w, Real* m, Real* v, const Real* g, Index n);
void steps_rmsprop(const RmsPropStep& step, Real* w, Real* v, Real* a, Real* m, const Real* g,
                   Index n);
void steps_adagrad(const AdagradStep& step, Real* w, Real* v, const Real* g, Index n);
void steps_lion(const LionStep& step, Real* w, Real* m, const Real* g, Index n);

constinit const Table table = {
    {L, lanes_scratch, lanes_forward, lanes_backward_weights},
    {L, direct_packed, direct_pack, direct_forward, direct_backward_weights, direct_unpack},
    {max_pool_forward, max_pool_backward},
    {averages_forward, averages_backward},
    {exponentials_largest, exponentials_of_row},
    {channels_moments, channels_forward, channels_products, channels_backward},
    {levels_forward, levels_backward},
    {steps_sgd, steps_adam, steps_rmsprop, steps_adagrad, steps_lion}};

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
