#include "models/run/checkpoint.hpp"

#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "models/run/session.hpp"
#include "quant/quantizer.hpp"

namespace fraqat::run {
namespace {

constexpr std::string_view format_key = "fraqat.format";
constexpr std::string_view checkpoint_format = "checkpoint";
const std::string recipe_key = "fraqat.recipe";

const std::string& entry(const nn::Metadata& metadata, const std::string& key,
                         const std::string& path) {
  const auto found = metadata.find(key);
  check_input(found != metadata.end(), "[checkpoint] ", path, ": no metadata entry ", key,
              "; expected a checkpoint that fraqat has written");
  return found->second;
}

/// The network of the recipe, with its quantizers where the file has widths.
void build(Loaded& loaded, const nn::Metadata& metadata, const std::string& name) {
  loaded.model = make_model(loaded.recipe);
  loaded.quantized = metadata.count("fraqat.bits") > 0;
  if (!loaded.quantized) return;
  quant::attach(*loaded.model, sample_image(loaded.recipe), quant_spec(loaded.recipe));
  apply_widths(*loaded.model, entry(metadata, "fraqat.bits", name), name);
  quant::set_mode(*loaded.model, quant::Quantizer::Mode::on);
}

}  // namespace

std::string widths_text(nn::Module& model) {
  nlohmann::ordered_json bits;
  for (quant::Quantizer* q : quant::quantizers(model)) {
    nlohmann::ordered_json entry = {q->learned_bits()};
    if (q->frozen()) entry.push_back(q->hard_bits());
    bits[q->info().name] = std::move(entry);
  }
  return bits.is_null() ? std::string() : bits.dump();
}

void apply_widths(nn::Module& model, const std::string& text, const std::string& origin) {
  const auto bits = nlohmann::json::parse(text, nullptr, false);
  for (quant::Quantizer* q : quant::quantizers(model)) {
    const std::string& name = q->info().name;
    const bool known = bits.is_object() && bits.contains(name) && bits[name].is_array() &&
                       !bits[name].empty() && bits[name][0].is_number();
    check_input(known, "[checkpoint] ", origin, ": fraqat.bits has no width of ", name);
    if (bits[name].size() < 2) continue;
    const bool whole = bits[name][1].is_number_integer();
    const int width = whole ? bits[name][1].get<int>() : 0;
    check_input(q->info().widths.find(width) >= 0, "[checkpoint] ", origin, ": fraqat.bits of ",
                name, " is no candidate: got ", bits[name][1].dump(), "; expected ",
                q->info().widths.lowest(), " to ", q->info().widths.highest());
    q->freeze(width);
    q->set_learned_bits(bits[name][0].get<double>());
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
