#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fraqat {

/// Where `text` stops being UTF-8 (no overlong forms, surrogates, or values
/// beyond U+10FFFF); text.size() if all of it is.
std::size_t valid_utf8_length(std::string_view text);

/// True if `text` is UTF-8 without characters that steer a terminal or break a line.
bool is_printable(std::string_view text);

/// `text` as one word of a shell's command line.
std::string shell_quoted(std::string_view text);

/// `text` in double quotes, for one line of a message: control characters and
/// bytes that are not UTF-8 become \xNN, and what is longer than `most` bytes
/// loses its middle.  Names in hostile files go through here.
std::string in_quotes(std::string_view text, std::size_t most = 240);

}  // namespace fraqat
