#include "models/run/checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/file.hpp"
#include "core/text.hpp"
#include "models/run/session.hpp"

namespace fraqat::run {
namespace {

constexpr std::string_view format_key = "fraqat.format";
constexpr std::string_view checkpoint_format = "checkpoint";
const std::string recipe_key = "fraqat.recipe", temperature_key = "fraqat.temperature";

const std::string& entry(const nn::Metadata& metadata, const std::string& key,
                         const std::string& path) {
  const auto found = metadata.find(key);
  check_input(found != metadata.end(), "[checkpoint] ", path, ": no metadata entry ", key,
              "; expected a checkpoint that fraqat has written");
  return found->second;
}

/// Of a search that is not over, which the widths of a mixture depend on; else 1.
double temperature_of(nn::Module& model) {
  for (const quant::Quantizer* q : quant::quantizers(model))
    if (const double temperature = q->bits().temperature(); temperature != 1) return temperature;
  return 1;
}

/// The inverse.
void cool(nn::Module& model, const std::string& text, const std::string& origin) {
  const auto temperature = nlohmann::json::parse(text, nullptr, false);
  check_input(temperature.is_number() && temperature > 0, "[checkpoint] ", origin,
              ": fraqat.temperature is none: got ", in_quotes(text, 60),
              "; expected a number above 0; try the file as fraqat wrote it");
  for (quant::Quantizer* q : quant::quantizers(model)) q->bits().set_temperature(temperature);
}

/// The network of the recipe, with its quantizers where the file has widths.
void build(Loaded& loaded, const nn::Metadata& metadata, const std::string& name) {
  loaded.model = make_model(loaded.recipe);
  loaded.quantized = metadata.count("fraqat.bits") > 0;
  if (!loaded.quantized) return;
  quant::attach(*loaded.model, sample_image(loaded.recipe), quant_spec(loaded.recipe));
  apply_widths(*loaded.model, entry(metadata, "fraqat.bits", name), name);
  if (metadata.count(temperature_key)) cool(*loaded.model, metadata.at(temperature_key), name);
  quant::set_mode(*loaded.model, quant::Quantizer::Mode::on);
}

/// What stands for each row of a quantizer: a number for one, a list for several; nothing if
/// it is not that.
std::vector<nlohmann::json> of_rows(const nlohmann::json& entry, const quant::Quantizer& q) {
  if (q.width_count() == 1) return {entry};
  if (!entry.is_array() || std::ssize(entry) != q.width_count()) return {};
  return {entry.begin(), entry.end()};
}

nlohmann::ordered_json to_json(const quant::Width& width) {
  if (width.whole()) return width.whole_bits();
  return {{"levels", width.levels()}};
}

/// The inverse; nothing if the quantizer has no such width.
std::optional<quant::Width> width_from(const nlohmann::json& json, const quant::Quantizer& q) {
  const bool levels = json.is_object() && json.contains("levels") && q.width_count() == 1;
  const nlohmann::json& number = levels ? json["levels"] : json;
  if (!number.is_number_integer()) return {};
  const auto value = number.get<std::int64_t>();
  if (value < 1 || value > (levels ? 255 : quant::max_bits)) return {};
  if (!levels) {
    if (q.info().widths.find(static_cast<int>(value)) < 0) return {};
    return quant::Width(static_cast<int>(value));
  }
  if (value < 2) return {};
  const auto width = quant::Width::of_levels(static_cast<int>(value));
  if (!quant::has_levels(q.info().widths, q.info().coding, width)) return {};
  return width;
}

}  // namespace

nlohmann::ordered_json hard_bits_json(const quant::Quantizer& quantizer) {
  const double bits = quantizer.mean_hard_bits();
  if (bits == std::floor(bits)) return static_cast<int>(bits);
  return bits;
}

std::string widths_text(nn::Module& model) {
  nlohmann::ordered_json bits;
  for (quant::Quantizer* q : quant::quantizers(model)) {
    nlohmann::ordered_json learned = nlohmann::ordered_json::array(), hard = learned;
    for (Index row = 0; row < q->width_count(); ++row) {
      learned.push_back(q->learned_bits(row));
      if (q->frozen()) hard.push_back(to_json(q->hard_width(row)));
    }
    nlohmann::ordered_json& entry = bits[q->info().name];
    for (const nlohmann::ordered_json& list : {learned, hard})
      if (!list.empty()) entry.push_back(q->width_count() == 1 ? list[0] : list);
  }
  return bits.is_null() ? std::string() : bits.dump();
}

void apply_widths(nn::Module& model, const std::string& text, const std::string& origin) {
  const auto bits = nlohmann::json::parse(text, nullptr, false);
  for (quant::Quantizer* q : quant::quantizers(model)) {
    const std::string& name = q->info().name;
    const bool known = bits.is_object() && bits.contains(name) && bits[name].is_array();
    const std::vector<nlohmann::json> learned =
        known && !bits[name].empty() ? of_rows(bits[name][0], *q) : std::vector<nlohmann::json>();
    const bool numbers =
        !learned.empty() &&
        std::all_of(learned.begin(), learned.end(), [](const auto& b) { return b.is_number(); });
    check_input(numbers, "[checkpoint] ", origin, ": fraqat.bits lacks a width: got none of ", name,
                "; expected those of all tensors; try the file as fraqat wrote it");
    if (bits[name].size() < 2) continue;
    const std::vector<nlohmann::json> hard = of_rows(bits[name][1], *q);
    check_input(!hard.empty(), "[checkpoint] ", origin, ": fraqat.bits of ", name,
                " has not one width for each channel: got ", bits[name][1].dump());
    std::vector<quant::Width> widths;
    for (const nlohmann::json& one : hard) {
      const std::optional<quant::Width> width = width_from(one, *q);
      check_input(width.has_value(), "[checkpoint] ", origin, ": fraqat.bits of ", name,
                  " is no candidate: got ", one.dump(), "; expected ", q->info().widths.lowest(),
                  " to ", q->info().widths.highest());
      widths.push_back(*width);
    }
    q->freeze(widths);
    q->set_learned_bits({learned.begin(), learned.end()});
  }
}

bool is_checkpoint(const nn::Metadata& metadata) {
  const auto found = metadata.find(std::string(format_key));
  return found != metadata.end() && found->second == checkpoint_format;
}

void save_checkpoint(const std::filesystem::path& path, nn::Module& model, const Recipe& recipe,
                     const std::string& phase) {
  nn::Metadata metadata{{std::string(format_key), std::string(checkpoint_format)},
                        {recipe_key, to_toml(recipe)},
                        {"fraqat.phase", phase}};
  if (const std::string bits = widths_text(model); !bits.empty()) metadata["fraqat.bits"] = bits;
  if (const double temperature = temperature_of(model); temperature != 1)
    metadata[temperature_key] = nlohmann::json(temperature).dump();
  nn::save_state(model, path.string(), metadata);
}

Loaded load_checkpoint(const std::filesystem::path& path) {
  const std::string name = path.string();
  const nn::SafeTensors file = nn::read_safetensors(name);
  const nn::Metadata& metadata = file.metadata;
  check_input(is_checkpoint(metadata), "[checkpoint] ", name,
              " is no checkpoint of fraqat: got no metadata fraqat.format = checkpoint");
  Loaded loaded;
  loaded.recipe = parse_recipe(entry(metadata, recipe_key, name), name + " (fraqat.recipe)");
  loaded.phase = entry(metadata, "fraqat.phase", name);
  try {
    build(loaded, metadata, name);
  } catch (const Error& error) {  // whatever the recipe asks for, the file is to blame
    check_input(error.kind() == Error::Kind::input, "[checkpoint] ", name, ": ", error.what());
    throw;
  }
  nn::apply_state(*loaded.model, nn::from_safetensors(file, name), name);
  return loaded;
}

std::string result_hash(const std::filesystem::path& checkpoint) {
  nn::SafeTensors file = nn::read_safetensors(checkpoint.string());
  file.metadata.erase(recipe_key);
  return sha256(nn::serialize(file));
}

}  // namespace fraqat::run
