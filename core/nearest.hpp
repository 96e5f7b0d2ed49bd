#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fraqat {

/// Insertions, deletions, replacements and swaps of neighbours that lead from
/// one word to the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was probably meant to be (the first of the
/// nearest), or an empty string if none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace fraqat
