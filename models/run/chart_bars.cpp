#include <algorithm>
#include <cmath>
#include <sstream>

#include "models/run/chart_svg.hpp"

namespace fraqat::run {

using namespace svg;

std::string draw_bars(std::string_view summary, std::string_view x_title, double most,
                      const std::vector<Bar>& bars) {
  constexpr double row = 20, thick = 12;
  double names = 0, texts = 0;
  for (const Bar& bar : bars) {
    names = std::max(names, text_width(shortened(bar.name)));
    texts = std::max(texts, text_width(bar.text));
  }
  const double low = row * static_cast<double>(bars.size()) + 6;
  const Scale x{0, std::max(most, 1e-9), names + 8, width - texts - 12};
  std::ostringstream svg;
  svg << open(summary, low + bottom);
  const std::vector<double> xs = ticks(0, x.high, static_cast<int>((x.to - x.from) / 50));
  for (const double v : xs) {
    svg << line_at(x(v), 2, x(v), low, "grid");
    svg << text_at(x(v), low + 15, "mid soft", tick_text(v, xs.size() > 1 ? xs[1] - xs[0] : 1));
  }
  svg << text_at((x.from + x.to) / 2, low + 32, "mid soft", x_title);
  double y = 4;
  for (const Bar& bar : bars) {
    const auto place = [&](double v) {
      return x(std::clamp(std::isfinite(v) ? v : 0, 0.0, x.high));
    };
    svg << text_at(names + 2, y + 11, "end ink", shortened(bar.name));
    svg << "<rect x=\"" << px(x.from) << "\" y=\"" << px(y + 1) << "\" width=\""
        << px(place(bar.value) - x.from) << "\" height=\"" << px(thick) << "\" class=\"bar "
        << bar.style << "\"><title>" << escape(bar.title) << "</title></rect>";
    if (std::isfinite(bar.tick))
      for (const char* style : {"under", "tick"})  // seen on any colour of bar
        svg << line_at(place(bar.tick), y - 2, place(bar.tick), y + thick + 4, style);
    svg << text_at(std::max(place(bar.value), place(bar.tick)) + 6, y + 11, "ink", bar.text);
    y += row;
  }
  svg << line_at(x.from, 2, x.from, low, "axis") << "</svg>";
  return svg.str();
}

}  // namespace fraqat::run
