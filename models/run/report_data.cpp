#include "models/run/report_data.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace fraqat::run {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t most_bytes = std::uint64_t{64} << 20;

/// A JSON value and where it stands, for errors.
struct Place {
  const Json& value;
  std::string where;  // "\"run.json\": arms[2]"

  Place at(std::string_view key) const {
    static const Json nothing;
    const auto found = value.find(key);
    const char* dot = where.ends_with(' ') ? "" : ".";
    return {found == value.end() ? nothing : *found, where + dot + std::string(key)};
  }

  /// A number; missing and null are NaN.
  double number(std::string_view key) const {
    const Place place = at(key);
    if (place.value.is_null()) return missing;
    check_input(place.value.is_number(), "[report] ", place.where, " is no number: got ",
                place.value.type_name());
    return place.value.get<double>();
  }

  std::string text(std::string_view key) const {
    const Place place = at(key);
    if (place.value.is_null()) return {};
    check_input(place.value.is_string(), "[report] ", place.where, " is no text: got ",
                place.value.type_name());
    return place.value.get<std::string>();
  }

  std::vector<double> numbers(std::string_view key) const {
    const Place list = at(key);
    std::vector<double> all;
    if (list.value.is_null()) return all;
    check_input(list.value.is_array(), "[report] ", list.where, " is no list: got ",
                list.value.type_name());
    for (const Json& number : list.value) {
      check_input(number.is_number(), "[report] ", list.where, " has what is no number: got ",
                  number.type_name());
      all.push_back(number.get<double>());
    }
    return all;
  }

  /// Calls f(Place) for every element, each of which must be an object.
  template <class F>
  void each(std::string_view key, F f) const {
    const Place list = at(key);
    if (list.value.is_null()) return;
    check_input(list.value.is_array(), "[report] ", list.where, " is no list: got ",
                list.value.type_name());
    for (std::size_t i = 0; i < list.value.size(); ++i) {
      const Place element{list.value[i], list.where + "[" + std::to_string(i) + "]"};
      check_input(element.value.is_object(), "[report] ", element.where, " is no object: got ",
                  element.value.type_name());
      f(element);
    }
  }
};

/// One JSON object; `first_line` is where `text` begins in the file.
Json parse_object(std::string_view text, const std::string& file, std::ptrdiff_t first_line) {
  const auto line = [&](std::size_t byte) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
    return first_line + std::count(text.begin(), end, '\n');
  };
  Json json;
  try {
    json = Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::size_t byte = error.byte > 0 ? error.byte - 1 : 0;
    fail(Error::Kind::input, "[report] ", in_quotes(file), " line ", line(byte),
         " is no JSON: got an error at byte ", byte, (byte >= text.size() ? ", its end" : ""),
         "; expected one object");
  } catch (const nlohmann::json::exception&) {
    fail(Error::Kind::input, "[report] ", in_quotes(file), " line ", first_line,
         " is no JSON: got a number out of range; expected one object");
  }
  check_input(json.is_object(), "[report] ", in_quotes(file), " line ", first_line,
              " is no object: got ", json.type_name(), "; expected {...}");
  return json;
}

Epoch read_epoch(const Place& line) {
  Epoch epoch;
  epoch.phase = line.text("phase");
  epoch.epoch = line.number("epoch");
  check_input(!epoch.phase.empty() && epoch.epoch >= 0 && epoch.epoch < 1e9, "[report] ",
              line.where, "no phase or no epoch; expected {\"phase\": ..., \"epoch\": ...}");
  epoch.loss = line.number("loss");
  epoch.accuracy = line.number("accuracy");
  epoch.weight_bits = line.number("avg_weight_bits");
  epoch.activation_bits = line.number("avg_activation_bits");
  constexpr std::string_view price = "price_";
  for (const auto& [key, value] : line.value.items())
    if (key.starts_with(price))
      epoch.prices.emplace_back(key.substr(price.size()), line.number(key));
  const Place bits = line.at("bits");
  check_input(bits.value.is_null() || bits.value.is_object(), "[report] ", bits.where,
              " is no object: got ", bits.value.type_name());
  for (const auto& [name, value] : bits.value.items())
    epoch.bits.emplace_back(name, bits.number(name));
  return epoch;
}

std::vector<Epoch> read_metrics(const std::string& file) {
  const std::string text = read_text_file(file, most_bytes);
  std::vector<Epoch> epochs;
  std::ptrdiff_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Json json = parse_object(line, file, number);
    epochs.push_back(
        read_epoch({json, in_quotes(file) + " line " + std::to_string(number) + ": "}));
  }
  return epochs;
}

void read_result(RunData& run, const std::string& file) {
  run.json = parse_object(read_text_file(file, most_bytes), file, 1);
  const Place root{run.json, in_quotes(file) + ": "};
  if (const std::string name = root.text("recipe"); !name.empty()) run.name = name;
  root.each("arms", [&](const Place& arm) {
    run.arms.push_back({arm.text("name"), arm.number("accuracy"), arm.number("loss"),
                        arm.number("bytes"), arm.number("avg_weight_bits"),
                        arm.number("avg_activation_bits")});
  });
  root.each("tensors", [&](const Place& t) {
    run.tensors.push_back({t.text("name"), t.text("layer"), t.text("role"), t.number("elements"),
                           t.number("learned_bits"), t.number("bits"), t.number("bytes"),
                           t.number("levels"), t.numbers("channel_bits")});
  });
}

/// json[key], or json[key][key] where `key` has a dot; nullptr if there is none.
const Json* find(const Json& json, std::string_view key) {
  const std::size_t dot = key.find('.');
  const auto found = json.find(key.substr(0, dot));
  if (found == json.end()) return nullptr;
  return dot == key.npos ? &*found : find(*found, key.substr(dot + 1));
}

}  // namespace

double RunData::number(std::string_view key) const {
  const Json* value = find(json, key);
  return value && value->is_number() ? value->get<double>() : missing;
}

std::string RunData::text(std::string_view key) const {
  const Json* value = find(json, key);
  if (!value || value->is_null()) return {};
  return value->is_string() ? value->get<std::string>() : value->dump();
}

const Arm* RunData::arm(std::string_view name) const {
  const auto found =
      std::find_if(arms.begin(), arms.end(), [&](const Arm& arm) { return arm.name == name; });
  return found == arms.end() ? nullptr : &*found;
}

RunData read_run(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const auto there = [&](const char* name) { return fs::exists(folder / name, ignored); };
  check_input(there("run.json") || there("metrics.jsonl"), "[report] no run in ",
              in_quotes(folder.string()),
              ": got neither run.json nor metrics.jsonl; expected one of them; try a folder "
              "that `fraqat train --out` has made");
  RunData run;
  run.folder = folder;
  run.name = run.folder_name();
  if (there("metrics.jsonl")) run.epochs = read_metrics((folder / "metrics.jsonl").string());
  if (there("run.json")) read_result(run, (folder / "run.json").string());
  if (there("recipe.toml"))
    run.recipe = read_text_file((folder / "recipe.toml").string(), most_bytes);
  return run;
}

}  // namespace fraqat::run
