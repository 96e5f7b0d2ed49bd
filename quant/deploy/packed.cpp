#include "quant/deploy/packed.hpp"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/file.hpp"
#include "core/text.hpp"
#include "nn/safetensors.hpp"
#include "quant/deploy/fields.hpp"
#include "quant/deploy/graph_json.hpp"

namespace fraqat::deploy {
namespace {

constexpr std::string_view version = "1";
constexpr std::uint64_t max_file_bytes = std::uint64_t{1} << 30;

using Entry = nn::SafeTensors::Entry;

Entry floats_entry(std::string name, std::span<const float> numbers) {
  const auto bytes = std::as_bytes(numbers);
  return {std::move(name),
          nn::DType::f32,
          {static_cast<Index>(numbers.size())},
          {bytes.begin(), bytes.end()}};
}

std::string checksums(const std::vector<Entry>& entries) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string all;
  for (const Entry& entry : entries) {
    const std::uint32_t crc = crc32(entry.bytes);
    for (int shift = 28; shift >= 0; shift -= 4) all += digits[crc >> shift & 15];
  }
  return all;
}

/// The tensors, 4-byte numbers before bytes so that all are aligned.
std::vector<Entry> entries_of(const Graph& graph) {
  std::vector<Entry> entries;
  for (const Op& op : graph.ops)
    if (const Product* p = product_of(op)) {
      entries.push_back(floats_entry(op.layer + ".multiplier", p->multiplier));
      entries.push_back(floats_entry(op.layer + ".offset", p->offset));
      entries.push_back(floats_entry(op.layer + ".scale", p->weight.scale));
    }
  for (const Op& op : graph.ops)
    if (const Product* p = product_of(op)) {
      auto bytes = pack_codes(p->weight);
      const auto size = static_cast<Index>(bytes.size());
      entries.push_back({op.layer + ".weight", nn::DType::u8, {size}, std::move(bytes)});
    }
  return entries;
}

std::string info_json(const ModelInfo& info) {
  const nlohmann::ordered_json json = {{"model", info.model},
                                       {"data", info.data},
                                       {"classes", info.classes},
                                       {"mean", info.mean},
                                       {"deviation", info.deviation}};
  return json.dump();
}

/// Hands out the tensors of a file, each once and only of the size asked for.
class Tensors {
 public:
  Tensors(const nn::SafeTensors& file, std::string where) : file_(file), where_(std::move(where)) {}

  void read(const std::string& layer, Product& product) {
    Weight& weight = product.weight;
    const Index rows = weight.shape[0];
    product.multiplier = floats(layer + ".multiplier", rows, rows);
    product.offset = floats(layer + ".offset", rows, rows);
    weight.scale = floats(layer + ".scale", 1, rows);
    const Entry& codes = entry(layer + ".weight", nn::DType::u8);
    unpack_codes(codes.bytes, weight, where_ + in_quotes(codes.name));
  }

  void done() const {
    check_input(read_.size() == file_.entries.size(), where_, "tensors that no op reads: got ",
                file_.entries.size(), " tensors; expected ", read_.size());
  }

 private:
  const Entry& entry(const std::string& name, nn::DType dtype) {
    const Entry* found = file_.find(name);
    check_input(found, where_, "missing tensor: got none called ", in_quotes(name));
    check_input(found->dtype == dtype && found->shape.rank() == 1, where_, in_quotes(name),
                ": wrong tensor: got ", nn::dtype_name(found->dtype), ' ', found->shape,
                "; expected one dimension of ", nn::dtype_name(dtype));
    check_input(read_.insert(name).second, where_, in_quotes(name),
                ": got two ops that read it; expected one");
    return *found;
  }

  std::vector<float> floats(const std::string& name, Index fewest, Index most) {
    const Entry& found = entry(name, nn::DType::f32);
    const Index size = found.shape[0];
    check_input(size == fewest || size == most, where_, in_quotes(name), ": wrong size: got ", size,
                "; expected ", most);
    std::vector<float> numbers(static_cast<std::size_t>(size));
    std::memcpy(numbers.data(), found.bytes.data(), found.bytes.size());
    return numbers;
  }

  const nn::SafeTensors& file_;
  std::string where_;
  std::set<std::string> read_;
};

const std::string& metadata(const nn::SafeTensors& file, const std::string& key,
                            const std::string& where) {
  const auto found = file.metadata.find(key);
  check_input(found != file.metadata.end(), where, "missing metadata: got no ", in_quotes(key));
  return found->second;
}

void check_frame(const nn::SafeTensors& file, const std::string& where) {
  const std::string& found = metadata(file, "fraqat.packed", where);
  check_input(found == version, where, "version of fraqat.packed: got ", in_quotes(found, 60),
              "; expected \"", version, "\"; try a newer fraqat");
  check_input(file.sealed, where, "no checksum: got no metadata \"fraqat.sha256\"");
  const std::string sums = checksums(file.entries);
  const std::string& written = metadata(file, "fraqat.crc32", where);
  check_input(written.size() == sums.size(), where, "fraqat.crc32: got ", written.size(),
              " digits; expected ", sums.size(), ", 8 for each tensor");
  for (std::size_t i = 0; i < file.entries.size(); ++i)
    check_input(written.compare(8 * i, 8, sums, 8 * i, 8) == 0, where,
                in_quotes(file.entries[i].name), ": wrong fraqat.crc32: got ",
                sums.substr(8 * i, 8), "; expected ", in_quotes(written.substr(8 * i, 8)));
}

ModelInfo read_info(std::string_view text, const Graph& graph, const std::string& where) {
  using Json = nlohmann::json;
  const FloatJson floats = parse_strictly(text, where);  // refuses what is malformed
  Fields fields(floats, where);
  ModelInfo info{fields.text("model"), fields.text("data"), fields.texts("classes"), {}, {}};
  const auto n = static_cast<std::size_t>(graph.input.shape[-1]);
  for (const char* key : {"mean", "deviation"}) {
    const auto size = fields.reals(key).size();
    check_input(size == n, fields.at(key), ": wrong size: got ", size, " numbers; expected ", n,
                ", one for each channel");
  }
  fields.done();
  const Json json = Json::parse(text);  // once more, with all digits of the reals
  info.mean = json["mean"].get<std::vector<double>>();
  info.deviation = json["deviation"].get<std::vector<double>>();
  for (const double d : info.deviation)
    check_input(d > 0, fields.at("deviation"), ": got ", d, "; expected more than 0");
  const Index logits = graph.ops.back().output.shape.size();
  check_input(static_cast<Index>(info.classes.size()) == logits, fields.at("classes"), ": got ",
              info.classes.size(), " names; expected ", logits, ", one for each logit");
  return info;
}

}  // namespace

std::vector<std::byte> pack(const Graph& graph, const ModelInfo& info) {
  check_complete(graph);
  nn::SafeTensors file;
  file.entries = entries_of(graph);
  file.metadata = {{"fraqat.packed", std::string(version)},
                   {"fraqat.graph", to_json(graph)},
                   {"fraqat.model", info_json(info)},
                   {"fraqat.crc32", checksums(file.entries)}};
  file.sealed = true;
  return nn::serialize(file);
}

Packed unpack(std::span<const std::byte> bytes, std::string_view origin) {
  const std::string where = "[packed] " + in_quotes(origin) + ": ";
  const nn::SafeTensors file = nn::parse_safetensors(bytes, origin);
  check_frame(file, where);
  Tensors tensors(file, where);
  Packed packed;
  packed.file_bytes = static_cast<Index>(bytes.size());
  packed.graph = graph_from_json(
      metadata(file, "fraqat.graph", where), where + "fraqat.graph",
      [&](const std::string& layer, Product& product) { tensors.read(layer, product); });
  tensors.done();
  try {
    check_complete(packed.graph);
  } catch (const Error& error) {
    fail(Error::Kind::input, where, error.what());
  }
  packed.info =
      read_info(metadata(file, "fraqat.model", where), packed.graph, where + "fraqat.model");
  return packed;
}

void write_packed(const std::string& path, const Graph& graph, const ModelInfo& info) {
  write_file_atomically(path, pack(graph, info));
}

Packed read_packed(const std::string& path) {
  return unpack(read_file(path, max_file_bytes), path);
}

}  // namespace fraqat::deploy
