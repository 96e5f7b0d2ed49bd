#include "models/run/trace.hpp"

#include <cmath>
#include <optional>

#include "core/file.hpp"
#include "models/run/recipe_keys.hpp"

namespace fraqat::run {
namespace {

std::string text_of(const Shape& shape) {
  std::string text;
  for (const Index d : shape.dims()) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

void append_lines(const std::filesystem::path& path, const TracedStep& at,
                  const std::vector<Trace::Line>& lines) {
  if (lines.empty()) return;
  std::string text;
  if (!std::filesystem::exists(path))
    text = "phase,epoch,step,layer,op,what,shape,numbers,bad,low,high,mean\n";
  for (const Trace::Line& line : lines) {
    const Summary& s = line.summary;
    for (const std::string& field :
         {at.phase, std::to_string(at.epoch), std::to_string(at.step), line.layer, line.op,
          line.what, text_of(line.shape), std::to_string(s.numbers), std::to_string(s.bad),
          to_text(s.low), to_text(s.high)})
      text += field + ',';
    text += to_text(s.mean) + '\n';
  }
  text.pop_back();  // append_line brings its own line feed
  append_line(path.string(), text);
}

/// The trace of passes that have failed once, as far as they come.
std::vector<Trace::Line> lines_of(const Passes& again) {
  Trace trace;
  try {
    again();
  } catch (const Error&) {  // the one that the caller is about to pass on
  }
  return trace.lines();
}

}  // namespace

void with_trace(const std::filesystem::path& path, const TracedStep& at, const Passes& passes,
                const Passes& again) {
  std::optional<Trace> trace;
  if (at.step == 1) trace.emplace();
  try {
    passes();
  } catch (const Error&) {
    append_lines(path, at, trace ? trace->lines() : lines_of(again));
    trace_parameters(path, at);
    throw;
  }
  if (trace) append_lines(path, at, trace->lines());
}

void trace_parameters(const std::filesystem::path& path, const TracedStep& at) {
  std::vector<Trace::Line> lines;
  for (const auto& [name, parameter] : at.parameters) {
    const std::size_t dot = name.rfind('.');
    const std::string layer = dot == name.npos ? "" : name.substr(0, dot);
    const Tensor& value = parameter->value();
    lines.push_back({layer, "", "value of " + name, value.shape(), summary_of(value)});
  }
  append_lines(path, at, lines);
}

std::string first_bad_in(const Passes& passes) {
  FirstBad first;
  passes();
  return first.text().empty() ? "the numbers are back to order on a second look" : first.text();
}

void check_numbers(const char* who, double loss, const std::vector<nn::Named<Var>>& parameters,
                   const Passes& again) {
  std::string bad = std::isfinite(loss) ? "" : "the loss";
  for (const auto& [name, parameter] : parameters)
    if (bad.empty() && !all_finite(parameter->grad())) bad = "the gradient of " + name;
  if (bad.empty()) return;
  for (const auto& [name, parameter] : parameters) parameter->clear_grad();
  fail(Error::Kind::failed, who, bad, " is no number: ", first_bad_in(again), finite_expected);
}

}  // namespace fraqat::run
