#include <sstream>

#include "quant/deploy/verify.hpp"

namespace fraqat::deploy {
namespace {

/// Collects one line for each thing that differs.
class Comparison {
 public:
  void value(const std::string& layer, const Value& file, const Value& checkpoint) {
    same(layer, "output shape", file.shape, checkpoint.shape);
    same(layer, "output bits", file.width.text(), checkpoint.width.text());
    same(layer, "lowest code", file.grid.lo, checkpoint.grid.lo);
    same(layer, "highest code", file.grid.hi, checkpoint.grid.hi);
    same(layer, "output scale", file.scale, checkpoint.scale);
    same(layer, "zero-point", file.zero, checkpoint.zero);
  }

  void op(const Op& file, const Op& checkpoint) {
    const std::string& layer = checkpoint.layer;
    same(layer, "layer", file.layer, checkpoint.layer);
    same(layer, "op", name_of(file), name_of(checkpoint));
    list(layer, "inputs", file.inputs, checkpoint.inputs);
    const Product *a = product_of(file), *b = product_of(checkpoint);
    const auto before = lines.size();
    if (a && b) product(layer, *a, *b);
    if (lines.size() == before && file.what != checkpoint.what)
      lines.push_back(layer + ": attributes or constants differ");
    value(layer, file.output, checkpoint.output);
  }

  std::vector<std::string> lines;

 private:
  void product(const std::string& layer, const Product& file, const Product& checkpoint) {
    const Weight &a = file.weight, &b = checkpoint.weight;
    same(layer, "weight shape", a.shape, b.shape);
    widths(layer, a, b);
    list(layer, "weight codes", a.codes, b.codes);
    list(layer, "weight scales", a.scale, b.scale);
    list(layer, "multipliers", file.multiplier, checkpoint.multiplier);
    list(layer, "offsets", file.offset, checkpoint.offset);
  }

  // Grids of several channels follow from their widths.
  void widths(const std::string& layer, const Weight& a, const Weight& b) {
    if (a.width.size() > 1 || b.width.size() > 1)
      return list(layer, "weight bits", a.width, b.width);
    same(layer, "weight bits", a.width[0].text(), b.width[0].text());
    same(layer, "lowest weight", a.grid[0].lo, b.grid[0].lo);
    same(layer, "highest weight", a.grid[0].hi, b.grid[0].hi);
  }

  static std::string text(const Width& width) { return width.text(); }
  template <class T>
  static auto text(const T& number) {
    return +number;
  }

  template <class T>
  void same(const std::string& layer, const char* what, const T& file, const T& checkpoint) {
    if (file == checkpoint) return;
    std::ostringstream line;
    line << layer << ": " << what << ": got " << file << " in the file; expected " << checkpoint;
    lines.push_back(line.str());
  }

  template <class T>
  void list(const std::string& layer, const char* what, const std::vector<T>& file,
            const std::vector<T>& checkpoint) {
    std::string number = "number of ";
    same(layer, number.append(what).c_str(), file.size(), checkpoint.size());
    if (file.size() != checkpoint.size()) return;
    std::size_t different = 0, first = 0;
    for (std::size_t i = file.size(); i-- > 0;)
      if (file[i] != checkpoint[i]) {
        ++different;
        first = i;
      }
    if (different == 0) return;
    std::ostringstream line;
    line << layer << ": " << different << " of " << file.size() << ' ' << what
         << " differ, the first at " << first << ": got " << text(file[first])
         << " in the file; expected " << text(checkpoint[first]);
    lines.push_back(line.str());
  }
};

}  // namespace

std::vector<std::string> graph_differences(const Graph& file, const Graph& checkpoint) {
  if (file.ops.size() != checkpoint.ops.size())
    return {"graph: got " + std::to_string(file.ops.size()) + " ops in the file; expected " +
            std::to_string(checkpoint.ops.size())};
  Comparison comparison;
  comparison.value("image", file.input, checkpoint.input);
  for (std::size_t i = 0; i < file.ops.size(); ++i) comparison.op(file.ops[i], checkpoint.ops[i]);
  return std::move(comparison.lines);
}

}  // namespace fraqat::deploy
