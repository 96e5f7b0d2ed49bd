#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>

#include "core/text.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/deployment.hpp"
#include "models/run/session.hpp"
#include "quant/stand_ins.hpp"
#include "tools/command.hpp"
#include "tools/dot.hpp"
#include "tools/model_file.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions final : Common {
  std::string model;
  bool dot = false;
};

std::string text_of(const Shape& shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

std::string range_text(double low, double high) { return fixed(low, 3) + " .. " + fixed(high, 3); }

double mean_bits(const std::vector<quant::Width>& widths) {
  double sum = 0;
  for (const quant::Width& width : widths) sum += width.bits();
  return widths.empty() ? 0 : sum / static_cast<double>(widths.size());
}

/// "3", "6 levels (2.67)", or of several channels "2.71 (2-4)".
std::string bits_text(const std::vector<quant::Width>& widths) {
  if (widths.empty()) return "";
  const std::string mean = fixed(mean_bits(widths), 2);
  if (widths.size() == 1) return widths[0].text() + (widths[0].whole() ? "" : " (" + mean + ")");
  const auto [low, high] = std::minmax_element(
      widths.begin(), widths.end(),
      [](const quant::Width& a, const quant::Width& b) { return a.bits() < b.bits(); });
  return mean + " (" + low->text() + "-" + high->text() + ")";
}

/// Whole bits as a whole number.
Json bits_json(const std::vector<quant::Width>& widths) {
  if (widths.size() == 1 && widths[0].whole()) return widths[0].whole_bits();
  return mean_bits(widths);
}

/// A tensor of the integer graph, as a line of the table and an entry of --json.
struct Line {
  std::string layer, kind, role;  // role: weight, activation or none (codes pass through)
  Shape shape;
  std::vector<quant::Width> widths;  // one, or one for each channel
  Index levels = 0;
  double low = 0, high = 0;
  Index bytes = 0;
  std::optional<std::int64_t> bound = {};  // of the accumulators
  std::optional<double> learned = {};
};

Line weight_line(const deploy::Op& op, const deploy::Weight& weight) {
  Line line{.layer = op.layer,
            .kind = "weight",
            .role = "weight",
            .shape = weight.shape,
            .widths = weight.width,
            .bytes = weight.bytes()};
  for (std::size_t o = 0; o < std::max(weight.scale.size(), weight.grid.size()); ++o) {
    const double scale = weight.scale[weight.scale.size() == 1 ? 0 : o];
    const quant::Grid& grid = weight.grid[weight.grid.size() == 1 ? 0 : o];
    line.levels = std::max<Index>(line.levels, grid.count());
    line.low = std::min(line.low, scale * grid.lo);
    line.high = std::max(line.high, scale * grid.hi);
  }
  return line;
}

Line output_line(const std::string& layer, std::string kind, std::string role,
                 const deploy::Value& value) {
  Line line{.layer = layer,
            .kind = std::move(kind),
            .role = std::move(role),
            .shape = value.shape,
            .widths = {value.width}};
  if (value.accumulators()) return line;
  line.levels = value.grid.count();
  line.low = value.scale * static_cast<double>(value.grid.lo - value.zero);
  line.high = value.scale * static_cast<double>(value.grid.hi - value.zero);
  return line;
}

/// Ops that leave codes of their own: the others pass on what they get.
bool has_codes(const deploy::Op& op) {
  return !deploy::acts_on_codes(op) && !op.output.accumulators();
}

std::vector<Line> lines_of(const deploy::Graph& graph) {
  std::vector<Line> lines = {output_line("image", "input", "input", graph.input)};
  for (const deploy::Op& op : graph.ops) {
    const deploy::Product* product = deploy::product_of(op);
    if (product) lines.push_back(weight_line(op, product->weight));
    Line line = output_line(op.layer, std::string(deploy::name_of(op)),
                            has_codes(op) ? "activation" : "", op.output);
    const std::vector<std::int64_t> bounds = deploy::accumulator_bounds(graph, op);
    if (!bounds.empty()) line.bound = *std::max_element(bounds.begin(), bounds.end());
    line.bytes = deploy::data_bytes(op) - (product ? lines.back().bytes : 0);
    lines.push_back(std::move(line));
  }
  return lines;
}

/// Fractional widths: of weights by layer, of activations in order of execution.
struct LearnedBits {
  std::map<std::string, double> weights;
  std::vector<double> activations;
};

/// A quantizer that notes its width whenever it is called.
class Noted final : public nn::Transform {
 public:
  Noted(std::shared_ptr<quant::Quantizer> quantizer, LearnedBits& bits)
      : quantizer_(std::move(quantizer)), bits_(bits) {}

  Var operator()(const Var& x) override {
    const std::string& name = quantizer_->info().name;
    const double learned = quantizer_->learned_bits();
    if (quantizer_->info().role == quant::Role::weight)
      bits_.weights[name.substr(0, name.rfind('.'))] = learned;
    else if (quantizer_->info().role != quant::Role::input)
      bits_.activations.push_back(learned);
    return (*quantizer_)(x);
  }

 private:
  std::shared_ptr<quant::Quantizer> quantizer_;
  LearnedBits& bits_;
};

LearnedBits learned_bits(const run::Loaded& loaded) {
  LearnedBits bits;
  const quant::StandIns noted(*loaded.model, [&](const std::shared_ptr<quant::Quantizer>& q) {
    return std::make_shared<Noted>(q, bits);
  });
  (*loaded.model)(Var(run::sample_image(loaded.recipe)));
  return bits;
}

/// From the checkpoint that a run leaves beside its packed model, if it is there.
LearnedBits learned_bits(const ModelFile& model) {
  if (model.checkpoint) return learned_bits(*model.checkpoint);
  const std::filesystem::path file =
      std::filesystem::path(run_folder(model.path)) / "checkpoints" / "final.safetensors";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  return learned_bits(run::load_checkpoint(file));
}

void add_learned(const LearnedBits& bits, std::vector<Line>& lines) {
  const auto codes = std::count_if(lines.begin(), lines.end(),
                                   [](const Line& line) { return line.role == "activation"; });
  const bool same = static_cast<std::size_t>(codes) == bits.activations.size();
  std::size_t next = 0;
  for (Line& line : lines) {
    const auto weight = bits.weights.find(line.layer);
    if (line.role == "weight" && weight != bits.weights.end()) line.learned = weight->second;
    if (line.role == "activation" && same) line.learned = bits.activations[next++];
  }
}

Json to_json(const Line& line) {
  Json object = {{"layer", line.layer},        {"kind", line.kind},
                 {"shape", line.shape.dims()}, {"bits", bits_json(line.widths)},
                 {"levels", line.levels},      {"range", {line.low, line.high}},
                 {"bytes", line.bytes}};
  if (line.widths.size() > 1)
    for (const quant::Width& width : line.widths)
      object["channel_bits"].push_back(width.whole_bits());
  if (line.learned) object["learned_bits"] = *line.learned;
  if (line.bound) object["accumulator_bound"] = *line.bound;
  return object;
}

std::string drawn(const Line& line) {
  if (line.role.empty()) return "";
  return bar(line.learned.value_or(mean_bits(line.widths)), quant::max_bits);
}

Table table_of(const std::vector<Line>& lines) {
  Table table({{"layer", Table::Align::left},
               {"kind", Table::Align::left},
               {"shape", Table::Align::left},
               {"b"},
               {"bits"},
               {"", Table::Align::left},
               {"levels"},
               {"range"},
               {"bytes"},
               {"accumulator"}});
  for (const Line& line : lines) {
    const bool codes = line.levels > 0;
    table.row(
        {line.layer, line.kind, text_of(line.shape), line.learned ? fixed(*line.learned, 2) : "",
         bits_text(line.widths), drawn(line), codes ? std::to_string(line.levels) : "",
         codes ? range_text(line.low, line.high) : "", line.bytes ? grouped(line.bytes) : "",
         line.bound ? "<= " + grouped(*line.bound) : ""},
        line.role.empty() ? Style::dim : Style::plain);
  }
  return table;
}

int inspect_graph(const InspectOptions& options, const ModelFile& model) {
  const deploy::Graph graph = model.graph();
  std::vector<Line> lines = lines_of(graph);
  add_learned(learned_bits(model), lines);
  const Index data = deploy::data_bytes(graph);
  Index products = 0;
  for (const deploy::Op& op : graph.ops) products += deploy::products_per_sample(op);
  if (options.json) {
    Json object = {{"model", model.path},
                   {"network", model.info().model},
                   {"data", model.data()},
                   {"data_bytes", data},
                   {"products_per_sample", products},
                   {"bops", deploy::bit_operations(graph)},
                   {"activation_bytes", deploy::peak_activation_bytes(graph)}};
    if (model.packed) object["model_bytes"] = model.packed->file_bytes;
    for (const Line& line : lines) object["layers"].push_back(to_json(line));
    print_json(object);
    return 0;
  }
  std::cout << model.path << ": " << model.info().model << " on " << model.data() << ", integer\n\n"
            << table_of(lines).text() << '\n'
            << grouped(data) << " data bytes";
  if (model.packed)
    std::cout << " + " << grouped(model.packed->header_bytes())
              << " header = " << grouped(model.packed->file_bytes);
  std::cout << "; " << grouped(products) << " multiplications and "
            << grouped(deploy::bit_operations(graph)) << " bit operations for a sample, at most "
            << grouped(deploy::peak_activation_bytes(graph)) << " bytes of activations at once\n";
  return 0;
}

/// A checkpoint whose widths are not integers yet, or that has none: parameters
/// and quantizers.
int inspect_checkpoint(const InspectOptions& options, const ModelFile& model) {
  nn::Module& network = *model.checkpoint->model;
  Json layers = Json::array(), quantizers = Json::array();
  Table parameters({{"parameter", Table::Align::left}, {"shape", Table::Align::left}, {"numbers"}});
  Index numbers = 0;
  for (const auto& [name, parameter] : nn::parameters(network)) {
    const Shape& shape = parameter->value().shape();
    numbers += shape.size();
    layers.push_back({{"parameter", name}, {"shape", shape.dims()}, {"numbers", shape.size()}});
    parameters.row({name, text_of(shape), grouped(shape.size())});
  }
  Table bits({{"quantizer", Table::Align::left}, {"elements"}, {"b"}, {"", Table::Align::left}});
  for (const quant::Quantizer* q : quant::quantizers(network)) {
    const double b = q->learned_bits();
    quantizers.push_back({{"name", q->info().name},
                          {"elements", q->info().elements},
                          {"learned_bits", b},
                          {"bits", run::hard_bits_json(*q)}});
    bits.row({q->info().name, grouped(q->info().elements), fixed(b, 2), bar(b, quant::max_bits)});
  }
  if (options.json) {
    print_json({{"model", model.path},
                {"network", model.checkpoint->recipe.model},
                {"data", model.data()},
                {"phase", model.checkpoint->phase},
                {"parameters", numbers},
                {"layers", layers},
                {"quantizers", quantizers}});
    return 0;
  }
  std::cout << model.path << ": " << model.checkpoint->recipe.model << " on " << model.data()
            << ", phase " << model.checkpoint->phase << "\n\n"
            << parameters.text() << '\n';
  if (!quantizers.empty()) std::cout << bits.text() << '\n';
  std::cout << grouped(numbers) << " parameters\n";
  return 0;
}

int inspect_dot(const ModelFile& model) {
  check_usage(model.checkpoint.has_value(), "[inspect] --dot reads the graph of a checkpoint: got ",
              in_quotes(model.path), "; try checkpoints/final.safetensors of its run");
  std::cout << dot_text(*model.checkpoint->model, run::sample_image(model.checkpoint->recipe));
  return 0;
}

int inspect(const InspectOptions& options) {
  const ModelFile model = load_model(options.model);
  if (options.dot) return inspect_dot(model);
  if (model.packed || run::is_deployable(*model.checkpoint->model))
    return inspect_graph(options, model);
  return inspect_checkpoint(options, model);
}

}  // namespace

void add_inspect(CLI::App& program) {
  const auto options = std::make_shared<InspectOptions>();
  Command command(program, "inspect", "Layers, bits, ranges, bytes and bounds", options,
                  [options] { return inspect(*options); });
  command.option("MODEL", options->model, "Packed model, checkpoint or run folder").required();
  command.flag("--dot", options->dot, "The graph, as text for Graphviz")
      .excludes(command["--json"]);
}

}  // namespace fraqat::tools
