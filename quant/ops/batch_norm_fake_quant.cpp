#include <algorithm>

#include "core/batch_norm.hpp"
#include "quant/candidates.hpp"
#include "quant/ops/row_chunks.hpp"

/// y = fake_quant(batch_norm(x)), the formulas of both, and their bits.
///
/// Between memory and the cache this is batch norm alone, which fake_quant behind it would
/// double: the normalised x never leaves the cache.  The backward pass normalises again, which
/// costs less than to read what was kept, and sums up for gamma and beta the piece of dL/dx of
/// fake_quant that it has just written.
///
/// Both sum over fixed pieces of the tensor, fake_quant over runs of numbers, batch norm over
/// runs of rows.  For the same sums a task has to end where a piece of either does:
/// batch_norm_fake_quant_suits().
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

/// Numbers in a piece of batch norm's sums over x[.., C].
Index norm_piece(Index size, Index C) { return RowSums::step_of(size / C, 2 * C) * C; }

struct BatchNormFakeQuant {
  static constexpr std::string_view name = "batch_norm_fake_quant";
  BatchNormState running;
  BatchNormOptions options;
  Candidates candidates;
  ChannelNormalisation norm = {};

  Tensor forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& p,
                 const Tensor& scale, const Tensor& zero) {
    norm.prepare(x, gamma, beta, running, options);
    candidates.set(p, scale, zero);
    Tensor y(x.shape()), rooms({thread_count(), RowChunks::chunk});
    norm.each_chunk([&](Index at, Index count) {
      const Real* normalised = normalise(at, count, rooms);
      candidates.quantize(0, normalised, y.data() + at, count * norm.channels());
    });
    return y;
  }

  std::array<Tensor, 6> backward(Tensor dy, Needs<6> needs) const {
    const Index C = norm.channels(), size = dy.size(), piece = norm_piece(size, C);
    Tensor h = dy.unique() && candidates.one_in_force() ? dy : Tensor(dy.shape());
    Tensor level_sums = candidates.sums(RowChunks{size, 1}.tasks());
    Tensor rooms({thread_count(), RowChunks::chunk});
    RowSums sums(size / C, 2 * C);
    parallel_chunks(size, std::max(piece, RowChunks::chunk), [&](Index begin, Index end) {
      for (Index at = begin; at < end; at += RowChunks::chunk) {
        const Index n = std::min(RowChunks::chunk, end - at);
        candidates.backward(0, normalise(at, n / C, rooms), dy.data() + at, h.data() + at, n,
                            needs[3], level_sums, at / RowChunks::chunk);
      }
      for (Index at = begin; at < end; at += piece)
        kernels::active().channels.products(norm.scale(), std::min(piece, end - at) / C, false,
                                            norm.x.data() + at, h.data() + at, nullptr, nullptr,
                                            sums.of(at / piece));
    });
    dy = {};
    sums.join();
    auto [dx, dgamma, dbeta] =
        norm.gradients(sums, std::move(h), false, options.batch_statistics, needs[0]);
    const auto [dp, dscale, dzero] = candidates.gradients(level_sums, needs[3]);
    return {dx, dgamma, dbeta, dp, dscale, dzero};
  }

 private:
  /// The `count` rows from number `at` on, not rectified, in this thread's room.
  const Real* normalise(Index at, Index count, Tensor& rooms) const {
    Real* room = rooms.data() + thread_index() * RowChunks::chunk;
    kernels::active().channels.forward(norm.scale(), count, false, norm.x.data() + at, nullptr,
                                       room);
    return room;
  }
};

}  // namespace

Var batch_norm_fake_quant(const BatchNormInput& in, const Var& p, const Var& scale, const Var& zero,
                          FakeQuantOptions options) {
  check_batch_norm(in);
  check(!options.pool, "[batch_norm_fake_quant] does not pool: got a pool for ", options.tensor,
        "; expected none; try batch_norm and fake_quant");
  options.relu = options.relu || in.options.relu;
  check_candidates(in.x.shape(), p, scale, zero, options);
  check(batch_norm_fake_quant_suits(in.x.shape(), scale.shape()),
        "[batch_norm_fake_quant] sums of both do not end together: got x of ", in.x.shape(),
        " with scale ", scale.shape(), "; expected one range, channels of a power of two and, ",
        "above 2^19 numbers, a multiple of 2^20; try batch_norm and fake_quant");
  return apply(BatchNormFakeQuant{in.state, in.options, {options}}, in.x, in.gamma, in.beta, p,
               scale, zero);
}

bool batch_norm_fake_quant_suits(const Shape& x, const Shape& scale) {
  if (scale.rank() != 2 || scale[1] != 1 || x.rank() == 0) return false;
  const Index size = x.size(), C = x[-1], chunk = RowChunks::chunk;
  if (size <= chunk) return size > 0;
  const Index piece = norm_piece(size, C);
  return chunk % C == 0 && (piece % chunk == 0 || chunk % piece == 0);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
