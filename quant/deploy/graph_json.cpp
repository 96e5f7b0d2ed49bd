#include "quant/deploy/graph_json.hpp"

#include "core/text.hpp"
#include "quant/deploy/fields.hpp"

namespace fraqat::deploy {
namespace {

constexpr Index most = Index{1} << 24;  // of any extent, stride, padding
constexpr Index code_limit = 256;

// --- every op, once for both directions ------------------------------------------
//
// `io` is a Writer or a Reader; both have number(key, member, low, high).

template <class IO>
void describe(IO& io, Conv2d& c) {
  io.weight(c);
  io.number("stride", c.stride, 1, most);
  io.number("padding", c.padding, 0, most);
  io.number("dilation", c.dilation, 1, most);
  io.number("groups", c.groups, 1, most);
}

template <class IO>
void describe(IO& io, Linear& l) {
  io.weight(l);
}

template <class IO>
void describe(IO& io, Add& a) {
  io.real("m1", a.first);
  io.real("m2", a.second);
  io.real("o", a.offset);
}

template <class IO>
void describe(IO& io, AvgPool2d& p) {
  io.number("height", p.height, 1, most);
  io.number("width", p.width, 1, most);
  io.number("stride", p.stride, 1, most);
  io.number("padding", p.padding, 0, most);
  io.real("m", p.multiplier);
  io.real("o", p.offset);
}

template <class IO>
void describe(IO& io, MaxPool2d& p) {
  io.number("kernel", p.kernel, 1, most);
  io.number("stride", p.stride, 1, most);
  io.number("padding", p.padding, 0, most);
}

template <class IO>
void describe(IO& io, Clamp& c) {
  io.number("low", c.low, -code_limit, code_limit);
  io.number("high", c.high, -code_limit, code_limit);
}

template <class IO>
void describe(IO& io, PadChannels& p) {
  io.number("before", p.before, 0, most);
  io.number("after", p.after, 0, most);
}

template <class IO>
void describe(IO& io, Reshape& r) {
  io.shape("shape", r.shape);
}

template <class IO>
void describe_grid(IO& io, Width& width, Grid& grid, int fewest_bits) {
  io.width(width, fewest_bits);
  io.number("lo", grid.lo, -code_limit, code_limit);
  io.number("hi", grid.hi, -code_limit, code_limit);
}

template <class IO>
void describe_codes(IO& io, Value& value) {
  describe_grid(io, value.width, value.grid, quant::min_bits);
  io.real("scale", value.scale);
  io.number("zero", value.zero, -code_limit, code_limit);
}

// --- the two directions -----------------------------------------------------------

class Writer {
 public:
  template <class T>
  void number(const char* key, const T& member, Index, Index) {
    json[key] = member;
  }
  void real(const char* key, const float& member) { json[key] = member; }
  void shape(const char* key, const Shape& member) {
    json[key] = FloatJson::array();
    for (const Index extent : member.dims()) json[key].push_back(extent);
  }
  void width(const Width& member, int) {
    if (member.whole())
      json["bits"] = member.whole_bits();
    else
      json["levels"] = member.levels();
  }
  void weight(Product& product) {
    Weight& weight = product.weight;
    Writer inner;
    inner.shape("shape", weight.shape);
    if (weight.width.size() == 1)
      describe_grid(inner, weight.width[0], weight.grid[0], quant::binary_bits);
    else  // the grids follow
      for (const Width& channel : weight.width) inner.json["bits"].push_back(channel.whole_bits());
    json["weight"] = std::move(inner.json);
  }

  FloatJson json = FloatJson::object();
};

class Reader {
 public:
  explicit Reader(Fields& fields) : fields_(fields) {}

  template <class T>
  void number(const char* key, T& member, Index low, Index high) {
    member = static_cast<T>(fields_.whole(key, low, high));
  }
  void real(const char* key, float& member) { member = fields_.real(key); }
  void shape(const char* key, Shape& member) { member = fields_.shape(key); }
  void width(Width& member, int fewest_bits) {
    if (!fields_.has("levels")) {
      member = static_cast<int>(fields_.whole("bits", fewest_bits, quant::max_bits));
      return;
    }
    check_input(!fields_.has("bits"), fields_.at("levels"),
                ": got bits besides; expected one of the two");
    member = Width::of_levels(static_cast<int>(fields_.whole("levels", 3, 255)));
    check_input(!member.whole(), fields_.at("levels"), ": got a power of two, ",
                1 << member.whole_bits(), "; expected \"bits\":", member.whole_bits());
  }
  void weight(Product& product) {
    Fields inner = fields_.object("weight");
    Reader reader(inner);
    reader.shape("shape", product.weight.shape);
    if (inner.has_list("bits"))
      reader.channels(product.weight);
    else
      reader.one_grid(product.weight.width[0], product.weight.grid[0]);
    inner.done();
  }

 private:
  void one_grid(Width& width, Grid& grid) {
    describe_grid(*this, width, grid, quant::binary_bits);
    grid.step = width == Width(quant::binary_bits) ? 2 : 1;
    check_input(grid.count() <= width.most_codes(), fields_.at("hi"), ": more codes than ",
                width.whole() ? "bits" : "levels", ": got ", grid.lo, " to ", grid.hi, " in ",
                width.text(), width.whole() ? " bits" : "");
  }

  void channels(Weight& weight) {
    const std::vector<int> bits = fields_.wholes("bits", quant::binary_bits, quant::max_bits);
    check_input(static_cast<Index>(bits.size()) == weight.shape[0], fields_.at("bits"), ": got ",
                bits.size(), " widths; expected ", weight.shape[0], ", one for each channel");
    weight.width.assign(bits.begin(), bits.end());
    weight.grid.clear();
    for (const Width& width : weight.width)
      weight.grid.push_back(width.grid(quant::Coding::symmetric));
  }

  Fields& fields_;
};

/// Makes the op called `name`, or leaves `op` and returns false.
template <class What, class... Rest>
bool make(std::string_view name, Op& op) {
  op.what = What{};
  if (name_of(op) == name) return true;
  if constexpr (sizeof...(Rest) > 0) return make<Rest...>(name, op);
  return false;
}

Op read_op(Fields& fields, const ReadNumbers& numbers) {
  Op op;
  const std::string name = fields.text("op");
  const bool known =
      make<Conv2d, Linear, Add, AvgPool2d, MaxPool2d, Clamp, PadChannels, Reshape>(name, op);
  check_input(known, fields.at("op"), ": no such op: got ", in_quotes(name, 60));
  op.layer = fields.text("layer");
  op.inputs = fields.wholes("in", 0, most);
  Reader reader(fields);
  std::visit([&](auto& what) { describe(reader, what); }, op.what);
  if (auto* conv = std::get_if<Conv2d>(&op.what)) numbers(op.layer, *conv);
  if (auto* linear = std::get_if<Linear>(&op.what)) numbers(op.layer, *linear);
  if (fields.has("out")) {
    check_input(!acts_on_codes(op), fields.at("out"), ": got codes for ", name, "; expected none");
    Fields out = fields.object("out");
    Reader codes(out);
    describe_codes(codes, op.output);
    out.done();
  } else if (!acts_on_codes(op)) {
    op.output.width = Value::accumulator_width;
  }
  fields.done();
  return op;
}

FloatJson write_op(Op op) {
  Writer writer;
  writer.json["op"] = name_of(op);
  writer.json["layer"] = op.layer;
  writer.json["in"] = op.inputs;
  std::visit([&](auto& what) { describe(writer, what); }, op.what);
  if (!acts_on_codes(op) && !op.output.accumulators()) {
    Writer out;
    describe_codes(out, op.output);
    writer.json["out"] = std::move(out.json);
  }
  return std::move(writer.json);
}

}  // namespace

std::string to_json(const Graph& graph) {
  Value image = graph.input;
  Writer input;
  input.shape("shape", image.shape);
  describe_codes(input, image);
  FloatJson json = {{"input", std::move(input.json)}, {"ops", FloatJson::array()}};
  for (const Op& op : graph.ops) json["ops"].push_back(write_op(op));
  return json.dump();
}

Graph graph_from_json(std::string_view text, const std::string& where, const ReadNumbers& numbers) {
  const FloatJson json = parse_strictly(text, where);
  Fields fields(json, where);
  Graph graph;
  Fields input = fields.object("input");
  Reader reader(input);
  reader.shape("shape", graph.input.shape);
  describe_codes(reader, graph.input);
  input.done();
  for (const FloatJson& item : fields.array("ops")) {
    Fields op(item, fields.at("ops[") + std::to_string(graph.ops.size()) + ']');
    try {
      append(graph, read_op(op, numbers));
    } catch (const Error& error) {
      if (error.kind() == Error::Kind::input) throw;
      fail(Error::Kind::input, where, ": ", error.what());
    }
  }
  fields.done();
  return graph;
}

}  // namespace fraqat::deploy
