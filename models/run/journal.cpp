#include "models/run/journal.hpp"

#include "models/run/checkpoint.hpp"
#include "models/run/json_text.hpp"
#include "nn/safetensors.hpp"

namespace fraqat::run {
namespace {

constexpr std::string_view journal_format = "journal 3";  // to be raised with what is in it
constexpr std::string_view model_prefix = "model.", optimizer_prefix = "optimizer.";

nlohmann::ordered_json parsed(const nn::Metadata& metadata, const std::string& key,
                              const std::string& path) {
  const auto found = metadata.find(key);
  const auto json = found == metadata.end()
                        ? nlohmann::ordered_json(nlohmann::ordered_json::value_t::discarded)
                        : nlohmann::ordered_json::parse(found->second, nullptr, false);
  check_input(json.is_object(), "[resume] ", path, ": bad metadata entry ", key,
              "; expected a JSON object that fraqat has written");
  return json;
}

nlohmann::json describe(const Position& position) {
  return {{"epoch", position.epoch},
          {"step", position.step},
          {"sum", position.sum},
          {"seconds", position.seconds},
          {"samples_per_second", position.samples_per_second}};
}

}  // namespace

void Journal::read() {
  const std::string name = path_.string();
  const nn::SafeTensors file = nn::read_safetensors(name);
  const auto format = file.metadata.find("fraqat.format");
  check_input(format != file.metadata.end() && format->second.starts_with("journal"), "[resume] ",
              name, " is no journal of a run: got no metadata fraqat.format = ", journal_format);
  check_input(format->second == journal_format, "[resume] ", name,
              " is of another version of fraqat: got ", format->second, "; expected ",
              journal_format, "; try that version, or a new folder");
  notes = parsed(file.metadata, "fraqat.notes", name);
  under_way_ = parsed(file.metadata, "fraqat.under_way", name);
  tensors_ = nn::from_safetensors(file, name);
  finished_ = notes.value("stretches", nlohmann::json::object());
}

nlohmann::json Journal::take_finished(const std::string& key) {
  if (!finished_.contains(key)) return {};
  nlohmann::json said = finished_[key];
  finished_.erase(key);
  return said;
}

void Journal::finish(const std::string& key, const nlohmann::json& said) {
  notes["stretches"][key] = said;
}

void Journal::write(nn::NamedTensors tensors, nn::Metadata metadata) const {
  metadata["fraqat.format"] = journal_format;
  metadata["fraqat.notes"] = json_text(notes, -1);
  nn::SafeTensors file = nn::to_safetensors(tensors, metadata);
  file.sealed = true;
  nn::write_safetensors(path_.string(), file);
}

void Journal::save() const { write({}, {{"fraqat.under_way", "{}"}}); }

void Journal::save(const Stretch& stretch, const Position& position) const {
  nn::NamedTensors tensors = nn::with_prefix(model_prefix, nn::state_of(stretch.model));
  stretch.updates.visit_state([&](const std::string& name, Tensor& tensor) {
    check(tensors.emplace(std::string(optimizer_prefix) + name, tensor).second,
          "[resume] two optimizer states of one name: got ", name);
  });
  nlohmann::json under_way = {{"key", stretch.key},
                              {"position", describe(position)},
                              {"steps", stretch.updates.steps()},
                              {"widths", widths_text(stretch.model)}};
  if (stretch.search) under_way["search"] = stretch.search->state();
  write(std::move(tensors), {{"fraqat.under_way", under_way.dump()}});
}

void Journal::restore_widths(const std::string& key, nn::Module& model) const {
  const std::string widths = under_way_.value("widths", "");
  if (under_way_.value("key", "") != key || widths.empty()) return;
  apply_widths(model, widths, path_.string());
  quant::set_mode(model, quant::Quantizer::Mode::on);
}

Position Journal::restore(const Stretch& stretch) {
  if (under_way_.value("key", "") != stretch.key) return {};
  const std::string name = path_.string();
  const nlohmann::json saved = std::exchange(under_way_, nlohmann::json::object());
  const nn::NamedTensors tensors = std::exchange(tensors_, {});
  try {
    // First: a limit on widths moves their parameters, which then become those of the file.
    if (stretch.search) stretch.search->set_state(saved.at("search"));
    nn::apply_state(stretch.model, nn::under_prefix(model_prefix, tensors), name);
    const nn::NamedTensors states = nn::under_prefix(optimizer_prefix, tensors);
    stretch.updates.visit_state([&](const std::string& state, Tensor& tensor) {
      const auto found = states.find(state);
      check_input(found != states.end() && found->second.shape() == tensor.shape(), "[resume] ",
                  name, ": no optimizer state ", state, " of shape ", tensor.shape());
      std::copy(found->second.span().begin(), found->second.span().end(), tensor.data());
    });
    stretch.updates.set_steps(saved.at("steps"));
    const nlohmann::json& at = saved.at("position");
    return {at.at("epoch"), at.at("step"), at.at("sum"), at.at("seconds"),
            at.at("samples_per_second")};
  } catch (const nlohmann::json::exception& error) {
    fail(Error::Kind::input, "[resume] ", name, ": fraqat.under_way is damaged: ", error.what());
  }
}

}  // namespace fraqat::run
