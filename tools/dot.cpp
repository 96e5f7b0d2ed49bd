#include "tools/dot.hpp"

#include <map>
#include <sstream>

namespace fraqat::tools {
namespace {

std::string shape_text(const Shape& shape, bool batch) {
  std::ostringstream text;
  const std::vector<Index> dims(shape.dims().begin(), shape.dims().end());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i) text << " x ";
    if (i == 0 && batch)
      text << 'N';
    else
      text << dims[i];
  }
  return text.str();
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// "stride 2": attributes that are single numbers or words; tensors are not shown.
std::string attributes_text(const Node& node) {
  std::ostringstream text;
  const Attributes attributes = node.attributes();
  for (const auto& [name, value] : attributes.items()) {
    if (const auto* whole = std::get_if<Index>(&value)) text << "\\n" << name << ' ' << *whole;
    if (const auto* number = std::get_if<double>(&value)) text << "\\n" << name << ' ' << *number;
    if (const auto* word = std::get_if<std::string>(&value)) text << "\\n" << name << ' ' << *word;
  }
  return text.str();
}

class Drawing {
 public:
  std::string text(const Tape& tape, const Var& image) {
    out_ << "digraph model {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n";
    names_[image.id()] = "image";
    out_ << "  image [shape=ellipse, label=\"image\"];\n";
    for (const auto& node : tape.nodes()) draw(*node);
    out_ << "}\n";
    return out_.str();
  }

 private:
  void draw(const Node& node) {
    const std::string name = "op" + std::to_string(count_++);
    names_[node.output().id()] = name;
    const std::string layer = node.layer().empty() ? "" : std::string(node.layer()) + "\\n";
    // The label's line breaks are written as such: only quotes need care, and names have none.
    out_ << "  " << name << " [label=\"" << layer << node.op() << attributes_text(node) << "\"];\n";
    for (const Var& input : node.inputs()) {
      if (!input) continue;
      const bool computed = names_.contains(input.id());
      if (!computed) leaf(input);
      out_ << "  " << names_[input.id()] << " -> " << name
           << " [label=" << quoted(shape_text(input.shape(), computed && input.name().empty()))
           << "];\n";
    }
  }

  void leaf(const Var& input) {
    const std::string name = "leaf" + std::to_string(names_.size());
    names_[input.id()] = name;
    out_ << "  " << name << " [shape=ellipse, style=dashed, label="
         << quoted(input.name().empty() ? "constant" : input.name()) << "];\n";
  }

  std::ostringstream out_;
  std::map<const void*, std::string> names_;
  int count_ = 0;
};

}  // namespace

std::string dot_text(nn::Module& model, const Tensor& image) {
  Tape tape(Tape::Records::graph);
  const Var input(image);
  model(input);
  return Drawing().text(tape, input);
}

}  // namespace fraqat::tools
