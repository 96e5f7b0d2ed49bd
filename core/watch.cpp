#include "core/watch.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace fraqat::inline FRAQAT_PRECISION {

void Profile::begins() { begin_ = std::chrono::steady_clock::now(); }

void Profile::add(Time& time) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
  time.seconds += took.count();
  ++time.calls;
}

Profile::Line& Profile::line(std::string_view op) {
  const auto found = lines_.find(op);
  return found != lines_.end() ? found->second : lines_[std::string(op)];
}

void Profile::forward_ended(std::string_view op, std::string_view, const Tensor&) {
  add(line(op).forward);
}

void Profile::backward_ended(const Node& node) { add(line(node.op()).backward); }

double Profile::seconds() const {
  double sum = 0;
  for (const auto& [op, line] : lines_) sum += line.forward.seconds + line.backward.seconds;
  return sum;
}

Summary summary_of(const Tensor& tensor) {
  Summary s{.numbers = tensor.size()};
  double sum = 0;
  Index good = 0;
  for (const Real x : tensor.span()) {
    if (!std::isfinite(x)) {
      ++s.bad;
      continue;
    }
    const auto v = static_cast<double>(x);
    s.low = good ? std::min(s.low, v) : v;
    s.high = good ? std::max(s.high, v) : v;
    sum += v;
    ++good;
  }
  if (good) s.mean = sum / static_cast<double>(good);
  return s;
}

void Trace::forward_ended(std::string_view op, std::string_view layer, const Tensor& output) {
  lines_.push_back(
      {std::string(layer), std::string(op), "output", output.shape(), summary_of(output)});
}

void Trace::backward_ended(const Node& node) {
  for (const Var& input : node.inputs()) {
    if (!input.grad()) continue;
    const std::string what = input.name().empty() ? "gradient" : "gradient of " + input.name();
    lines_.push_back({std::string(node.layer()), std::string(node.op()), what, input.shape(),
                      summary_of(input.grad())});
  }
}

void FirstBad::look(const char* what, std::string_view op, std::string_view layer,
                    const Tensor& tensor) {
  if (!text_.empty()) return;
  const std::span<const Real> numbers = tensor.span();
  const auto bad =
      std::find_if(numbers.begin(), numbers.end(), [](Real x) { return !std::isfinite(x); });
  if (bad == numbers.end()) return;
  std::ostringstream text;
  text << what << ' ' << op;
  if (!layer.empty()) text << " in layer " << layer;
  text << ", element " << bad - numbers.begin() << " of " << tensor.shape() << " is " << *bad;
  text_ = text.str();
}

void FirstBad::forward_ended(std::string_view op, std::string_view layer, const Tensor& output) {
  look("the output of", op, layer, output);
}

void FirstBad::backward_ended(const Node& node) {
  for (const Var& input : node.inputs())
    if (input.grad()) look("a gradient that came from", node.op(), node.layer(), input.grad());
}

}  // namespace fraqat::inline FRAQAT_PRECISION
