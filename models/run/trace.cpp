#include "models/run/trace.hpp"

#include "core/file.hpp"
#include "models/run/recipe_keys.hpp"

namespace fraqat::run {
namespace {

std::string text_of(const Shape& shape) {
  std::string text;
  for (const Index d : shape.dims()) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

}  // namespace

void append_trace(const std::filesystem::path& path, const std::string& phase, int epoch,
                  const Trace& trace) {
  std::string text;
  if (!std::filesystem::exists(path))
    text = "phase,epoch,layer,op,what,shape,numbers,bad,low,high,mean\n";
  for (const Trace::Line& line : trace.lines()) {
    const Summary& s = line.summary;
    for (const std::string& field :
         {phase, std::to_string(epoch), line.layer, line.op, line.what, text_of(line.shape),
          std::to_string(s.numbers), std::to_string(s.bad), to_text(s.low), to_text(s.high)})
      text += field + ',';
    text += to_text(s.mean) + '\n';
  }
  if (!text.empty()) text.pop_back();  // append_line brings its own line feed
  append_line(path.string(), text);
}

}  // namespace fraqat::run
