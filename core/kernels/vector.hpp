#pragma once

#include <utility>

#include "core/kernels/kernels.hpp"

// Included only by the files that are compiled once per instruction set, each
// time with another FRAQAT_KERNELS.  Everything here and there is in that
// namespace: a function shared with the rest of the program might be linked in
// its AVX-512 form and then run on a processor that has none.
#ifndef FRAQAT_KERNELS
#define FRAQAT_KERNELS generic
#endif

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {

#if defined(FRAQAT_VECTOR_BYTES)  // wider than the registers: the compiler takes several
inline constexpr Index vector_bytes = FRAQAT_VECTOR_BYTES, registers = 32;
#elif defined(__AVX512F__)
inline constexpr Index vector_bytes = 64, registers = 32;
#elif defined(__AVX2__)
inline constexpr Index vector_bytes = 32, registers = 16;
#else
inline constexpr Index vector_bytes = 16, registers = 16;
#endif

/// Numbers in a vector register.
inline constexpr Index L = vector_bytes / static_cast<Index>(sizeof(Real));

typedef Real Vector __attribute__((vector_size(vector_bytes)));
typedef Real Unaligned
    __attribute__((vector_size(vector_bytes), aligned(alignof(Real)), may_alias));

/// For rows with fewer numbers than a vector.
typedef Real Short __attribute__((vector_size(16)));

/// Adding it rounds to whole numbers, ties to even, below a quarter of it; their last bits are
/// then those of the sum.
inline constexpr Real shift = sizeof(Real) == 4 ? Real(0x1.8p23) : Real(0x1.8p52);

using AllLanes = std::make_index_sequence<L>;

[[gnu::always_inline]] inline Vector load(const Real* from) {
  return *reinterpret_cast<const Unaligned*>(from);
}

[[gnu::always_inline]] inline void store(Real* to, Vector v) {
  *reinterpret_cast<Unaligned*>(to) = v;
}

/// The same for any type of a few numbers, or one.
template <class V>
inline constexpr Index lanes_of = static_cast<Index>(sizeof(V) / sizeof(Real));

template <class V>
[[gnu::always_inline]] inline V read(const Real* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof(V));
  return v;
}

template <class V>
[[gnu::always_inline]] inline void write(Real* to, V v) {
  __builtin_memcpy(to, &v, sizeof(V));
}

/// Keeps `v` in a register, where the compiler would read it again at every use.
[[gnu::always_inline]] inline void keep([[maybe_unused]] Vector& v) {
#if defined(FRAQAT_VECTOR_BYTES)
#elif defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#endif
}

template <std::size_t... lane>
[[gnu::always_inline]] inline Vector broadcast(Real value, std::index_sequence<lane...>) {
  return Vector{(static_cast<void>(lane), value)...};
}

[[gnu::always_inline]] inline Vector broadcast(Real value) { return broadcast(value, AllLanes()); }

[[gnu::always_inline]] inline Index at_most(Index a, Index b) { return a < b ? a : b; }
[[gnu::always_inline]] inline Index at_least(Index a, Index b) { return a > b ? a : b; }

// Exchanges the off-diagonal halves of each 2 step x 2 step square.
template <Index step, std::size_t... lane>
[[gnu::always_inline]] inline void swap_halves(Vector (&rows)[L], std::index_sequence<lane...>) {
  for (Index i = 0; i < L; ++i) {
    if (i & step) continue;
    const Vector a = rows[i], b = rows[i + step];
    rows[i] = __builtin_shufflevector(
        a, b,
        (static_cast<Index>(lane) & step ? L + static_cast<Index>(lane) - step
                                         : static_cast<Index>(lane))...);
    rows[i + step] = __builtin_shufflevector(
        a, b,
        (static_cast<Index>(lane) & step ? L + static_cast<Index>(lane)
                                         : static_cast<Index>(lane) + step)...);
  }
}

/// Rows become columns.
[[gnu::always_inline]] inline void transpose(Vector (&rows)[L]) {
  if constexpr (L > 8) swap_halves<8>(rows, AllLanes());
  if constexpr (L > 4) swap_halves<4>(rows, AllLanes());
  if constexpr (L > 2) swap_halves<2>(rows, AllLanes());
  swap_halves<1>(rows, AllLanes());
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
