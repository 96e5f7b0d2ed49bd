#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

/// Charts as inline SVG, and text for HTML: what `report` is drawn with.
/// Colours are CSS classes (c0, c1, ..., ink), so that the page decides what
/// they are in the light and in the dark.
namespace fraqat::run {

/// The parts, one after the other.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string all;
  (all.append(std::string_view(parts)), ...);
  return all;
}

/// `text` for HTML: markup and quotes escaped, control characters and bytes
/// that are not UTF-8 replaced.
std::string escape(std::string_view text);

/// A number with `digits` decimals, whatever the locale; an en dash for NaN.
std::string fixed(double value, int digits);

/// 246824 as "246 824", with narrow spaces that do not break.
std::string grouped(double value);

/// The fewest decimals that tell `value` from its neighbours `step` away.
std::string tick_text(double value, double step);

/// Round numbers (1, 2 or 5 times a power of ten, or whole ones) from `low` to
/// `high`, about `count` of them.
std::vector<double> ticks(double low, double high, int count, bool whole = false);

/// 1, 2 and 5 times powers of ten inside [low, high]; powers only, if too many.
std::vector<double> log_ticks(double low, double high);

struct Point {
  double x = 0, y = 0;
  std::string title;  // shown while the pointer is over it
  std::string label;  // written beside it
  double spread = 0;  // of y, up and down: a bar through the mark
};

enum class Marker { none, dot, square, diamond };

struct Line {
  std::string name;   // written at its end, if `named`
  std::string style;  // CSS classes
  std::vector<Point> points;
  bool named = true;
  bool joined = true;
  Marker marker = Marker::none;
};

/// A stretch of x, shaded and named above the plot.
struct Band {
  double from = 0, to = 0;
  std::string name;
};

/// A level that matters, dashed and named.
struct Level {
  double y = 0;
  std::string name;
};

struct Plot {
  std::string summary;  // for who cannot see it
  std::string x_title, y_title;
  std::vector<Line> lines;
  std::vector<Band> bands;
  std::vector<Level> levels;
  bool log_x = false;    // bytes
  bool whole_x = false;  // epochs
  bool zero_y = false;
  double most_range = std::numeric_limits<double>::infinity();  // of y, downwards from the top
};

std::string draw(const Plot& plot);

struct Bar {
  std::string name, style, text, title;
  double value = 0;
  double tick = std::numeric_limits<double>::quiet_NaN();
};

/// Horizontal bars from 0 to `most`, each with its text behind it and, where
/// there is one, a tick.
std::string draw_bars(std::string_view summary, std::string_view x_title, double most,
                      const std::vector<Bar>& bars);

}  // namespace fraqat::run
