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

template <class IO, class Codes>  // a Value or a Weight
void describe_grid(IO& io, Codes& codes) {
  constexpr bool weight = std::is_same_v<Codes, Weight>;
  io.number("bits", codes.bits, weight ? quant::binary_bits : quant::min_bits, quant::max_bits);
  io.number("lo", codes.grid.lo, -code_limit, code_limit);
  io.number("hi", codes.grid.hi, -code_limit, code_limit);
}

template <class IO>
void describe_codes(IO& io, Value& value) {
  describe_grid(io, value);
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
  void weight(Product& product) {
    Writer inner;
    inner.shape("shape", product.weight.shape);
    describe_grid(inner, product.weight);
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
  void weight(Product& product) {
    Fields inner = fields_.object("weight");
    Reader reader(inner);
    reader.shape("shape", product.weight.shape);
    describe_grid(reader, product.weight);
    product.weight.grid.step = product.weight.bits == quant::binary_bits ? 2 : 1;
    check_input(product.weight.grid.count() <= (1 << product.weight.bits), inner.at("hi"),
                ": more codes than bits: got ", product.weight.grid.lo, " to ",
                product.weight.grid.hi, " in ", product.weight.bits, " bits");
    inner.done();
  }

 private:
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
  op.inputs = fields.indices("in", most);
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
    op.output.bits = Value::accumulator_bits;
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
