#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/text.hpp"
#include "models/run/chart_svg.hpp"

namespace fraqat::run {
namespace {

constexpr std::string_view no_number = "\u2013";
constexpr std::string_view replacement = "\uFFFD";
constexpr std::string_view thin_space = "\u202F";

std::string_view escaped(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

}  // namespace

std::string escape(std::string_view text) {
  std::string html;
  std::size_t valid = valid_utf8_length(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == valid) {  // not UTF-8 here; perhaps again behind it
      html += replacement;
      valid = i + 1 + valid_utf8_length(text.substr(i + 1));
      continue;
    }
    const auto code = static_cast<unsigned char>(text[i]);
    const std::string_view entity = escaped(text[i]);
    if (!entity.empty())
      html += entity;
    else if ((code < 0x20 && code != '\n' && code != '\t') || code == 0x7f)
      html += replacement;
    else
      html += text[i];
  }
  return html;
}

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return std::string(no_number);
  std::array<char, 400> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 std::chars_format::fixed, digits);
  std::string number(text.data(), end.ptr);
  const bool zero = number.find_first_not_of("-0.") == std::string::npos;
  if (zero && number[0] == '-') number.erase(0, 1);
  return number;
}

std::string grouped(double value) {
  std::string digits = fixed(value, 0);
  if (!std::isfinite(value)) return digits;
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, thin_space);
  return digits;
}

std::string tick_text(double value, double step) {
  const int digits = step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  return fixed(value, std::min(digits, 12));
}

std::vector<double> ticks(double low, double high, int count, bool whole) {
  const double rough = (high - low) / std::max(count, 1);
  if (!(rough > 0) || !std::isfinite(rough)) return {low};
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (rough <= factor * power * (1 + 1e-9)) step = factor * power;
  if (whole) step = std::max(1.0, std::round(step));
  std::vector<double> all;
  const double first = std::ceil(low / step - 1e-9);
  for (double i = first; i * step <= high + 1e-9 * step && all.size() < 100; ++i)
    all.push_back(i * step);
  return all;
}

std::vector<double> log_ticks(double low, double high) {
  constexpr std::size_t most = 7;
  std::vector<double> all, powers;
  for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high; power *= 10)
    for (const double factor : {1.0, 2.0, 5.0})
      if (factor * power >= low && factor * power <= high) {
        all.push_back(factor * power);
        if (factor == 1) powers.push_back(power);
      }
  return all.size() <= most || powers.size() < 2 ? all : powers;
}

namespace svg {

constexpr double letter = 7.2;  // the page's letters are larger on a telephone
constexpr std::size_t most_letters = 24;

std::size_t letters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string px(double v) { return fixed(v, 1); }

double text_width(std::string_view text) { return letter * static_cast<double>(letters(text)); }

std::string shortened(const std::string& name) {
  if (letters(name) <= most_letters) return name;
  std::size_t from = name.size() - most_letters + 1;
  while (from < name.size() && (name[from] & 0xC0) == 0x80) ++from;
  return concat("\u2026", name.substr(from));
}

std::string text_at(double x, double y, std::string_view css, std::string_view text) {
  return concat("<text x=\"", px(x), "\" y=\"", px(y), "\" class=\"", css, "\">", escape(text),
                "</text>");
}

std::string line_at(double x1, double y1, double x2, double y2, std::string_view css) {
  return concat("<line x1=\"", px(x1), "\" y1=\"", px(y1), "\" x2=\"", px(x2), "\" y2=\"", px(y2),
                "\" class=\"", css, "\"/>");
}

std::string open(std::string_view summary, double height) {
  return concat("<svg role=\"img\" aria-label=\"", escape(summary), "\" viewBox=\"0 0 ", px(width),
                " ", px(height), "\" xmlns=\"http://www.w3.org/2000/svg\">");
}

std::string bytes_text(double bytes) {
  if (bytes >= 1e6) return tick_text(bytes / 1e6, bytes >= 1e7 ? 1 : 0.1) + " MB";
  if (bytes >= 1e3) return tick_text(bytes / 1e3, bytes >= 1e4 ? 1 : 0.1) + " kB";
  return fixed(bytes, 0) + " B";
}

}  // namespace svg

}  // namespace fraqat::run
