#include "core/isa.hpp"

#include <cstdlib>

#include "core/error.hpp"

namespace fraqat {

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::generic:
      return "generic";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::vnni:
      return "vnni";
  }
  fail(Error::Kind::failed, "[isa] no such instruction set: got ", static_cast<int>(isa),
       "; expected generic, avx2, avx512 or vnni");
}

bool supported([[maybe_unused]] Isa isa) {
#ifdef __x86_64__
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
#ifdef FRAQAT_EMULATE_AVX512
  if (isa == Isa::avx512) return avx2;
#endif
  if (isa == Isa::avx2) return avx2;
  if (isa == Isa::avx512) return avx512;
  if (isa == Isa::vnni) return avx512 && __builtin_cpu_supports("avx512vnni");
#endif
  return isa == Isa::generic;
}

Isa detected_isa() {
  Isa best = Isa::generic;
  for (const Isa isa : all_isas)
    if (supported(isa)) best = isa;
  return best;
}

Isa choose_isa(std::string_view requested) {
  if (requested.empty()) return detected_isa();
  for (const Isa isa : all_isas) {
    if (name(isa) != requested) continue;
    check_usage(supported(isa), "[isa] FRAQAT_ISA asks for what this processor lacks: got ",
                requested, "; expected at most ", name(detected_isa()));
    return isa;
  }
  fail(Error::Kind::usage, "[isa] FRAQAT_ISA names no instruction set: got ", requested,
       "; expected generic, avx2, avx512 or vnni");
}

Isa active_isa() {
  static const Isa isa = [] {
    const char* requested = std::getenv("FRAQAT_ISA");
    return choose_isa(requested ? requested : "");
  }();
  return isa;
}

}  // namespace fraqat
