#pragma once

#include <span>
#include <string_view>

namespace fraqat {

/// The instruction sets that kernels are compiled for, each including those
/// before it.  Results are the same bits within one set, not across them.
enum class Isa { generic, avx2, avx512, vnni };

inline constexpr Isa all_isas[] = {Isa::generic, Isa::avx2, Isa::avx512, Isa::vnni};

std::string_view name(Isa isa);

/// True if this processor, and the operating system, can run `isa`.
bool supported(Isa isa);

/// The best supported set.
Isa detected_isa();

/// The set in use: what `requested` (FRAQAT_ISA) names, or the best supported if
/// it is empty.  A name that is unknown, or a set that the processor lacks, is a
/// usage Error.
Isa choose_isa(std::string_view requested);

/// choose_isa(FRAQAT_ISA), decided once: at the first call.
Isa active_isa();

}  // namespace fraqat
