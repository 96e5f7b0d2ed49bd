#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/real.hpp"

/// Text for people: numbers, bars and tables.
namespace fraqat::tools {

/// True if `descriptor` is a terminal that understands control sequences.
bool is_terminal(int descriptor);

enum class Style { plain, bold, dim, good, bad };

/// `text` in `style` where `descriptor` is a terminal and NO_COLOR is not set.
std::string styled(std::string_view text, Style style, int descriptor);

/// A number with `digits` decimals, whatever the locale; "-" for NaN.
std::string fixed(double value, int digits);

/// 246824 as "246,824".
std::string grouped(Index value);

/// Seconds as "4.2 s", "3:05" or "1:02:05".
std::string duration(double seconds);

/// A bar of `value` cells out of `width`, with eighths where the locale is
/// UTF-8, else rounded to whole ones.
std::string bar(double value, std::size_t width);

/// Columns on stdout, as wide as their widest cell.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells, Style style = Style::plain);

  /// The table, a line for each row, styled for stdout.
  std::string text() const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Style style;
  };

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace fraqat::tools
