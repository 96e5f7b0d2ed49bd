#include "core/kernels/kernels.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels {

const Table& table([[maybe_unused]] Isa isa) {
#if defined(__x86_64__) && !defined(FRAQAT_DOUBLE)
  if (isa == Isa::avx2) return avx2::table;
  if (isa == Isa::avx512 || isa == Isa::vnni) return avx512::table;
#endif
  return generic::table;
}

const Table& active() {
  static const Table& chosen = table(active_isa());
  return chosen;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels
