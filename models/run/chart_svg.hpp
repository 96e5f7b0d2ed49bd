#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include "models/run/chart.hpp"

/// The parts that charts are made of.  Lengths are in units of the viewBox,
/// which the page stretches to the width there is.
namespace fraqat::run::svg {

constexpr double width = 420, bottom = 40;  // of every chart; below it the axis and its title

/// A length, to a tenth.
std::string px(double v);

/// About how wide `text` is, rather more than less.
double text_width(std::string_view text);

/// The end of a long name, which tells more than its beginning.
std::string shortened(const std::string& name);

std::string text_at(double x, double y, std::string_view css, std::string_view text);
std::string line_at(double x1, double y1, double x2, double y2, std::string_view css);
std::string open(std::string_view summary, double height);

/// 19300 as "19 kB".
std::string bytes_text(double bytes);

/// From a quantity to a place.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool log = false;

  double operator()(double v) const {
    const double share = log ? std::log(v / low) / std::log(high / low) : (v - low) / (high - low);
    return from + share * (to - from);
  }
};

}  // namespace fraqat::run::svg
