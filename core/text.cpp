#include "core/text.hpp"

#include <algorithm>
#include <cstdint>

namespace fraqat {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

/// Bytes of the UTF-8 character that starts `text`; 0 if there is none.
std::size_t character_length(std::string_view text) {
  const unsigned char first = byte_at(text, 0), second = byte_at(text, 1);
  if (first < 0x80) return text.empty() ? 0 : 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte_at(text, i) & 0xC0) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool too_large = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

/// U+0080..U+009F and U+2028/9 break lines or steer terminals like those below a space.
bool steers(std::string_view text) {
  const unsigned char c = byte_at(text, 0);
  return c < 0x20 || c == 0x7F || (c == 0xC2 && byte_at(text, 1) < 0xA0) ||
         text.starts_with("\u2028") || text.starts_with("\u2029");
}

void append_printable(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  while (!text.empty()) {
    const bool shown = !steers(text);
    const std::size_t length = character_length(text);
    const std::size_t taken = length ? length : 1;
    for (std::size_t i = 0; i < taken; ++i) {
      const unsigned char b = byte_at(text, i);
      if (length && shown) {
        if (b == '"' || b == '\\') out += '\\';
        out += static_cast<char>(b);
      } else {
        out += {'\\', 'x', digits[b >> 4], digits[b & 15]};
      }
    }
    text.remove_prefix(taken);
  }
}

}  // namespace

std::size_t valid_utf8_length(std::string_view text) {
  std::size_t valid = 0;
  while (valid < text.size()) {
    const std::size_t length = character_length(text.substr(valid));
    if (length == 0) break;
    valid += length;
  }
  return valid;
}

bool is_printable(std::string_view text) {
  for (std::size_t length; !text.empty(); text.remove_prefix(length))
    if ((length = character_length(text)) == 0 || steers(text)) return false;
  return true;
}

std::string shell_quoted(std::string_view text) {
  constexpr std::string_view plain = "_-./=,:+@%";
  const auto is_plain = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           plain.find(c) != plain.npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string in_quotes(std::string_view text, std::size_t most) {
  std::string out = "\"";
  if (text.size() <= most) {
    append_printable(out, text);
  } else {
    append_printable(out, text.substr(0, most / 2));
    out += "...";
    append_printable(out, text.substr(text.size() - most / 2));
  }
  return out += '"';
}

}  // namespace fraqat
