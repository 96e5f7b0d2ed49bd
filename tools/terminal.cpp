#include "tools/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace fraqat::tools {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != std::string_view::npos ||
           value.find("utf8") != std::string_view::npos;
  }
  return false;
}

/// Characters, not bytes.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) && environment("TERM") != "dumb"; }

std::string styled(std::string_view text, Style style, int descriptor) {
  constexpr std::array<std::string_view, 5> codes = {"", "\033[1m", "\033[2m", "\033[32m",
                                                     "\033[31m"};
  if (style == Style::plain || !environment("NO_COLOR").empty() || !is_terminal(descriptor))
    return std::string(text);
  return std::string(codes[static_cast<std::size_t>(style)]).append(text).append("\033[0m");
}

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return std::isnan(value) ? "-" : value > 0 ? "inf" : "-inf";
  std::array<char, 400> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits)
          .ptr;
  return {text.data(), end};
}

std::string grouped(Index value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool between = i > 0 && digits[i - 1] != '-' && (digits.size() - i) % 3 == 0;
    if (between) text += ',';
    text += digits[i];
  }
  return text;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  if (seconds < 60) return fixed(seconds, 1) + " s";
  const auto whole = static_cast<Index>(std::min(std::round(seconds), 1e12));
  const auto two = [](Index n) { return std::string(n < 10, '0') + std::to_string(n); };
  const std::string tail = two(whole % 60);
  if (whole < 3600) return std::to_string(whole / 60) + ":" + tail;
  return std::to_string(whole / 3600) + ":" + two(whole / 60 % 60) + ":" + tail;
}

std::string bar(double value, std::size_t width) {
  constexpr std::array<std::string_view, 8> parts = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double cells = std::clamp(std::isnan(value) ? 0 : value, 0.0, static_cast<double>(width));
  std::string text;
  std::size_t used = 0;
  if (utf8_locale()) {
    const auto eighths = static_cast<std::size_t>(std::lround(cells * 8));
    for (; used < eighths / 8; ++used) text += "█";
    text += parts[eighths % 8];
    used += eighths % 8 != 0;
  } else {
    used = static_cast<std::size_t>(std::lround(cells));
    text.assign(used, '#');
  }
  return text.append(width - used, ' ');
}

void Table::row(std::vector<std::string> cells, Style style) {
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), style});
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  Row header{{}, Style::dim};
  for (const Column& column : columns_) {
    widths.push_back(width_of(column.title));
    header.cells.push_back(column.title);
  }
  for (const Row& row : rows_)
    for (std::size_t i = 0; i < widths.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row.cells[i]));

  std::string all;
  const auto append = [&](const Row& row) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string space(widths[i] - width_of(row.cells[i]), ' ');
      line += i ? "  " : "";
      line += columns_[i].align == Align::left ? row.cells[i] + space : space + row.cells[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all += styled(line, row.style, STDOUT_FILENO) + "\n";
  };
  const bool titled = std::any_of(header.cells.begin(), header.cells.end(),
                                  [](const std::string& title) { return !title.empty(); });
  if (titled) append(header);
  for (const Row& row : rows_) append(row);
  return all;
}

}  // namespace fraqat::tools
