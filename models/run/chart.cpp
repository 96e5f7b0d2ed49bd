#include <algorithm>
#include <cmath>
#include <sstream>

#include "models/run/chart_svg.hpp"

namespace fraqat::run {

using namespace svg;

namespace {

constexpr double top = 26, right = 14;
constexpr double plot_height = 210;
constexpr double line_spacing = 14;  // between the names at the ends of lines
constexpr double marker_radius = 3.6;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void take(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  bool empty() const { return !(low <= high); }
};

bool drawable(const Plot& plot, const Point& p) {
  return std::isfinite(p.x) && std::isfinite(p.y) && (!plot.log_x || p.x > 0);
}

/// Draws one plot: first where everything is, then the parts from back to front.
class Painter {
 public:
  explicit Painter(const Plot& plot) : plot_(plot) {
    for (const Line& line : plot.lines)
      if (const Point* end = end_of(line)) names_.push_back({line.name, line.style, *end, 0});
    fit();
    for (const Level& level : plot.levels)
      names_.push_back({level.name, "ink", {x_.high, level.y, {}, {}}, 0});
    double widest = 0, widest_tick = 0;
    for (const Name& name : names_) widest = std::max(widest, text_width(shortened(name.text)));
    y_ticks_ = ticks(y_.low, y_.high, 5);
    y_step_ =
        y_ticks_.size() > 1 ? y_ticks_[1] - y_ticks_[0] : std::max(1e-9, std::abs(y_ticks_[0]));
    for (const double v : y_ticks_)
      widest_tick = std::max(widest_tick, text_width(tick_text(v, y_step_)));
    left_ = 26 + widest_tick;
    const double height = std::max(plot_height, line_spacing * static_cast<double>(names_.size()));
    x_.from = left_;
    x_.to = width - right - (names_.empty() ? 0 : widest + 16);
    y_.from = top + height;
    y_.to = top;
  }

  std::string draw() {
    svg_ << open(plot_.summary, y_.from + bottom);
    bands();
    axes();
    levels();
    for (const Line& line : plot_.lines) stroke(line);
    for (const Line& line : plot_.lines) markers(line);
    names();
    labels();
    svg_ << "</svg>";
    return svg_.str();
  }

 private:
  struct Name {
    std::string text, style;
    Point end;  // what it names
    double y;   // where it stands
  };

  struct Box {
    double x, y, w, h;
    bool hits(const Box& o) const {
      return x < o.x + o.w && o.x < x + w && y < o.y + o.h && o.y < y + h;
    }
  };

  /// The last point of a line whose name stands there.
  const Point* end_of(const Line& line) const {
    if (!line.named) return nullptr;
    const Point* end = nullptr;
    for (const Point& p : line.points)
      if (drawable(plot_, p)) end = &p;
    return end;
  }

  void fit() {
    Range x, y;
    for (const Line& line : plot_.lines)
      for (const Point& p : line.points)
        if (drawable(plot_, p)) {
          x.take(p.x);
          y.take(p.y - p.spread);
          y.take(p.y + p.spread);
        }
    for (const Level& level : plot_.levels) y.take(level.y);
    for (const Band& band : plot_.bands) {
      x.take(band.from);
      x.take(band.to);
    }
    if (x.empty()) x = {plot_.log_x ? 1.0 : 0.0, plot_.log_x ? 10.0 : 1.0};
    if (y.empty()) y = {0, 1};
    if (plot_.log_x) {
      x_.log = true;
      x_.low = x.low / 1.35;
      x_.high = x.high * 1.35;
    } else {
      const double some = x.low == x.high ? 0.5 : 0;
      x_.low = x.low - some;
      x_.high = x.high + some;
    }
    y.low = plot_.zero_y ? std::min(0.0, y.low) : std::max(y.low, y.high - plot_.most_range);
    const double margin = y.high > y.low ? 0.06 * (y.high - y.low) : 0.5 * (std::abs(y.high) + 1);
    y_.low = plot_.zero_y && y.low == 0 ? 0 : y.low - margin;
    y_.high = y.high + margin;
  }

  void bands() {
    bool odd = false;
    for (const Band& band : plot_.bands) {
      const double from = x_(band.from), to = x_(band.to);
      svg_ << "<rect x=\"" << px(from) << "\" y=\"" << px(top) << "\" width=\"" << px(to - from)
           << "\" height=\"" << px(y_.from - top) << "\" class=\"band" << (odd ? " odd" : "")
           << "\"><title>" << escape(band.name) << "</title></rect>";
      if (text_width(band.name) < to - from + 16)
        svg_ << text_at((from + to) / 2, top - 7, "mid soft", band.name);
      odd = !odd;
    }
  }

  void axes() {
    for (const double v : y_ticks_) {
      svg_ << line_at(left_, y_(v), x_.to, y_(v), "grid");
      svg_ << text_at(left_ - 6, y_(v) + 4, "end soft", tick_text(v, y_step_));
    }
    const int count = static_cast<int>((x_.to - x_.from) / 45);
    const std::vector<double> xs =
        x_.log ? log_ticks(x_.low, x_.high) : ticks(x_.low, x_.high, count, plot_.whole_x);
    const double x_step = xs.size() > 1 ? xs[1] - xs[0] : 1;
    for (const double v : xs) {
      if (x_.log) svg_ << line_at(x_(v), top, x_(v), y_.from, "grid");
      svg_ << line_at(x_(v), y_.from, x_(v), y_.from + 4, "axis");
      svg_ << text_at(x_(v), y_.from + 17, "mid soft",
                      x_.log ? bytes_text(v) : tick_text(v, x_step));
    }
    svg_ << line_at(left_, y_.from, x_.to, y_.from, "axis");
    svg_ << text_at((x_.from + x_.to) / 2, y_.from + 34, "mid soft", plot_.x_title);
    svg_ << "<text transform=\"translate(12 " << px((top + y_.from) / 2)
         << ") rotate(-90)\" class=\"mid soft\">" << escape(plot_.y_title) << "</text>";
  }

  void levels() {
    for (const Level& level : plot_.levels)
      svg_ << line_at(left_, y_(level.y), x_.to, y_(level.y), "level");
  }

  double clamped(double y) const { return std::clamp(y, y_.to, y_.from); }

  void stroke(const Line& line) {
    if (!line.joined) return;
    std::string path;
    bool pen_down = false;
    for (const Point& p : line.points) {
      if (!drawable(plot_, p)) {
        pen_down = false;
        continue;
      }
      path += concat(pen_down ? "L" : "M", px(x_(p.x)), " ", px(clamped(y_(p.y))));
      pen_down = true;
    }
    svg_ << "<path d=\"" << path << "\" class=\"line " << line.style << "\"><title>"
         << escape(line.name) << "</title></path>";
  }

  void markers(const Line& line) {
    for (const Point& p : line.points) {
      if (!drawable(plot_, p)) continue;
      const double x = x_(p.x), y = clamped(y_(p.y)), r = marker_radius;
      const std::string title = concat("<title>", escape(p.title), "</title>");
      if (p.spread > 0)
        svg_ << line_at(x, clamped(y_(p.y - p.spread)), x, clamped(y_(p.y + p.spread)),
                        concat("spread ", line.style));
      const auto shape = [&](std::string_view d) {
        svg_ << "<path class=\"mark " << line.style << "\" d=\"M" << px(x) << " " << px(y) << d
             << "\">" << title << "</path>";
      };
      if (line.marker == Marker::square) shape("m-3.4 -3.4h6.8v6.8h-6.8z");
      if (line.marker == Marker::diamond) shape("m0 -6l6 6l-6 6l-6 -6z");
      if (line.marker == Marker::dot || line.marker == Marker::none)
        svg_ << "<circle cx=\"" << px(x) << "\" cy=\"" << px(y) << "\" r=\"" << px(r + 1)
             << "\" class=\"" << (line.marker == Marker::dot ? "mark " : "hover ") << line.style
             << "\">" << title << "</circle>";
    }
  }

  /// Names at the ends of lines, pushed apart until none touches another.
  void names() {
    for (Name& name : names_) name.y = clamped(y_(name.end.y));
    std::stable_sort(names_.begin(), names_.end(),
                     [](const Name& a, const Name& b) { return a.y < b.y; });
    for (std::size_t i = 1; i < names_.size(); ++i)
      names_[i].y = std::max(names_[i].y, names_[i - 1].y + line_spacing);
    double lowest = y_.from;
    for (std::size_t i = names_.size(); i-- > 0; lowest -= line_spacing)
      lowest = names_[i].y = std::min(names_[i].y, lowest);
    for (const Name& name : names_) {
      const double y = clamped(y_(name.end.y));
      svg_ << "<path d=\"M" << px(x_(name.end.x)) << " " << px(y) << "L" << px(x_.to + 3) << " "
           << px(y) << "L" << px(x_.to + 12) << " " << px(name.y) << "\" class=\"lead "
           << name.style << "\"/>";
      svg_ << text_at(x_.to + 15, name.y + 4, "ink", shortened(name.text));
    }
  }

  /// Labels beside points, where nothing else is; one without a place is left
  /// to the pointer.
  void labels() {
    std::vector<Box> taken, crossed;
    for (const Line& line : plot_.lines)
      for (const Point& p : line.points)
        if (drawable(plot_, p)) taken.push_back({x_(p.x) - 5, clamped(y_(p.y)) - 5, 10, 10});
    for (const Line& line : plot_.lines)
      for (std::size_t i = 1; i < line.points.size() && line.joined; ++i)
        along(line.points[i - 1], line.points[i], crossed);
    for (auto line = plot_.lines.rbegin(); line != plot_.lines.rend(); ++line)  // front first
      for (const Point& p : line->points)
        if (drawable(plot_, p) && !p.label.empty() && !label(p, taken, crossed))
          label(p, taken, {});
  }

  /// Small boxes on the way between two points, which no label should cover.
  void along(const Point& a, const Point& b, std::vector<Box>& taken) const {
    constexpr int steps = 24;
    if (!drawable(plot_, a) || !drawable(plot_, b)) return;
    for (int i = 1; i < steps; ++i) {
      const double t = double(i) / steps;
      const double x = x_(a.x) + t * (x_(b.x) - x_(a.x));
      const double y = clamped(y_(a.y)) + t * (clamped(y_(b.y)) - clamped(y_(a.y)));
      taken.push_back({x - 1, y - 1, 2, 2});
    }
  }

  bool label(const Point& p, std::vector<Box>& taken, const std::vector<Box>& crossed) {
    const double x = x_(p.x), y = clamped(y_(p.y)), w = text_width(shortened(p.label)) + 2, h = 13;
    const Box places[] = {{x + 8, y - 7, w, h},      {x - 8 - w, y - 7, w, h},
                          {x - w / 2, y - 21, w, h}, {x - w / 2, y + 8, w, h},
                          {x + 5, y - 19, w, h},     {x + 5, y + 6, w, h},
                          {x - 5 - w, y - 19, w, h}, {x - 5 - w, y + 6, w, h}};
    for (const Box& place : places) {
      const bool inside = place.x >= left_ && place.x + place.w <= width && place.y >= 2 &&
                          place.y + place.h <= y_.from;
      const auto hit = [&](const Box& other) { return place.hits(other); };
      if (!inside || std::any_of(taken.begin(), taken.end(), hit) ||
          std::any_of(crossed.begin(), crossed.end(), hit))
        continue;
      taken.push_back(place);
      svg_ << text_at(place.x + 1, place.y + 10.5, "ink halo", shortened(p.label));
      return true;
    }
    return false;
  }

  const Plot& plot_;
  Scale x_, y_;
  double left_ = 0, y_step_ = 1;
  std::vector<double> y_ticks_;
  std::vector<Name> names_;
  std::ostringstream svg_;
};

}  // namespace

std::string draw(const Plot& plot) { return Painter(plot).draw(); }

}  // namespace fraqat::run
