#include "models/run/session.hpp"

#include "core/text.hpp"
#include "models/models.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/float_start.hpp"
#include "models/run/recipe_difference.hpp"

namespace fraqat::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* metrics_files[] = {"metrics.jsonl", "metrics.csv"};

constexpr const char* csv_columns[] = {"phase",
                                       "epoch",
                                       "step",
                                       "seconds",
                                       "rate",
                                       "loss",
                                       "accuracy",
                                       "avg_weight_bits",
                                       "avg_activation_bits",
                                       "price_weight",
                                       "price_activation"};

std::string csv_line(const nlohmann::ordered_json& line) {
  std::string text;
  for (const char* column : csv_columns) {
    if (!text.empty()) text += ',';
    if (line.contains(column))
      text += line[column].is_string() ? line[column].get<std::string>() : line[column].dump();
  }
  return text;
}

std::string csv_header() {
  std::string text;
  for (const char* column : csv_columns) {
    if (!text.empty()) text += ',';
    text += column;
  }
  return text;
}

/// What widths of a side are searched among: what the hardware has.  A level count is rounded to
/// from the widths around it, so that with one all are candidates, as where there is no choice.
std::vector<int> candidates(const Recipe& recipe, bool weight) {
  const Tensors& side = weight ? recipe.weight : recipe.activation;
  if (side.bits == "schedule" || !allowed_levels(recipe, weight).empty()) return {};
  std::vector<int> widths;
  for (const int bits : allowed_bits(recipe, weight))
    if (bits >= side.lowest && bits <= side.highest) widths.push_back(bits);
  return widths.size() > 1 ? widths : std::vector<int>();
}

quant::TensorSpec tensor_spec(const Recipe& recipe, bool weight) {
  const Tensors& tensors = weight ? recipe.weight : recipe.activation;
  return {tensors.bits,
          tensors.start,
          tensors.lowest,
          tensors.highest,
          tensors.range,
          tensors.per_channel,
          tensors.bits_per_channel,
          tensors.narrow_range,
          tensors.affine,
          tensors.random_start,
          tensors.percentile,
          tensors.momentum,
          tensors.gradient_scale,
          candidates(recipe, weight)};
}

/// Makes the run folder and its parts; the lock of it.
DirectoryLock enter(const std::filesystem::path& folder) {
  make_directories((folder / "checkpoints").string());
  return DirectoryLock(folder.string());
}

}  // namespace

Session::Session(const Recipe& recipe, const Options& options, Observer& observer)
    : recipe_(recipe),
      options_(options),
      observer_(observer),
      train_(data::open(recipe.data, data::Split::train, options.data_dir, recipe.train_limit)),
      test_(data::open(recipe.data, data::Split::test, options.data_dir, recipe.test_limit)),
      lock_(enter(options.out)),
      journal_(file(journal_name)),
      start_(std::chrono::steady_clock::now()) {
  check_usage(
      !std::filesystem::exists(file("run.json")), "[run] ", in_quotes(options.out.string()),
      " holds a finished run: got run.json; expected a new folder; try another --out, or remove it "
      "first");
  for (const auto& folder : {options.out, options.out / "checkpoints"})
    remove_temporaries(folder.string());
  options.resume ? go_on() : begin();
}

void Session::begin() {
  check_usage(!fs::exists(file(journal_name)), "[run] ", in_quotes(options_.out.string()),
              " holds an unfinished run: got ", journal_name,
              "; expected a new folder; try fraqat train --resume ",
              in_quotes(options_.out.string()), ", or remove it first");
  const std::string from = options_.from.empty() ? "" : fs::absolute(options_.from).string();
  const std::string from_hash = from.empty() ? "" : start_hash(from);
  write_file_atomically(file("recipe.toml").string(), to_toml(recipe_));
  write_file_atomically(file("metrics.jsonl").string(), std::string_view());
  write_file_atomically(file("metrics.csv").string(), csv_header() + "\n");
  journal_.notes = {{"recipe", to_toml(recipe_)},
                    {"arguments", options_.arguments},
                    {"from", from},
                    {"from_hash", from_hash},
                    {"arms", ordered_json::object()},
                    {"stretches", ordered_json::object()},
                    {"resumed", 0}};
  if (valid_utf8_length(from) < from.size())  // JSON has no other place for such a path
    journal_.notes["from_bytes"] = std::vector<unsigned char>(from.begin(), from.end());
  note_metrics();
  journal_.save();
}

void Session::go_on() {
  const std::string folder = in_quotes(options_.out.string());
  check_usage(fs::exists(file(journal_name)), "[resume] ", folder,
              " holds no run that could go on: got no ", journal_name,
              "; expected the folder of an unfinished one");
  journal_.read();
  ordered_json& notes = journal_.notes;
  const Recipe begun =
      parse_recipe(notes.at("recipe").get<std::string>(), file(journal_name).string());
  for (const Recipe& now : {recipe_, load_recipe(file("recipe.toml").string(), {})})
    check_usage(now == begun, "[resume] ", folder,
                " holds the run of another recipe: ", difference(begun, now),
                "; try recipe.toml as it was, or a new run in another --out");
  seconds_before_ = saved_at_ = notes.value("seconds", 0.0);
  for (const char* name : metrics_files) {
    // Lines after the last save will be written again.
    const std::string path = file(name).string();
    const auto size = notes.at("metrics").at(name).get<std::uintmax_t>();
    check_input(fs::exists(path) && fs::file_size(path) >= size, "[resume] ", in_quotes(path),
                " is shorter than it was: expected at least ", size, " bytes");
    fs::resize_file(path, size);
  }
  notes["resumed"] = notes.value("resumed", 0) + 1;
}

void Session::note_metrics() const {
  for (const char* name : metrics_files)
    journal_.notes["metrics"][name] = fs::file_size(file(name));
}

void Session::save(const Journal::Stretch& stretch, const Position& position) const {
  saved_at_ = seconds();
  journal_.notes["seconds"] = saved_at_;
  note_metrics();
  journal_.save(stretch, position);
}

void Session::save_now_and_then(const Journal::Stretch& stretch, const Position& position) const {
  constexpr double often_enough = 60;
  if (seconds() > saved_at_ + often_enough) save(stretch, position);
}

void Session::end() const { fs::remove(file(journal_name)); }

fs::path Session::from() const {
  const ordered_json& notes = journal_.notes;
  std::string from = notes.value("from", "");
  if (const auto bytes = notes.find("from_bytes"); bytes != notes.end()) {
    const auto characters = bytes->get<std::vector<unsigned char>>();
    from.assign(characters.begin(), characters.end());
  }
  if (from.empty()) return {};
  const std::string then = notes.value("from_hash", ""), now = start_hash(from);
  check_input(then == now, "[resume] ", in_quotes(from),
              " has changed since the run began: got SHA-256 ", now.substr(0, 8), "; expected ",
              then.substr(0, 8), "; try the file as it was, or a new run in another --out");
  return from;
}

double Session::seconds() const {
  const auto since = std::chrono::steady_clock::now() - start_;
  return seconds_before_ + std::chrono::duration<double>(since).count();
}

void Session::record(const nlohmann::ordered_json& line) const {
  append_line(file("metrics.jsonl").string(), line.dump());
  append_line(file("metrics.csv").string(), csv_line(line));
  observer_.metrics(line);
}

void Session::stop(nn::Module& model, const Recipe& recipe, const std::string& phase) const {
  const std::filesystem::path path = checkpoint("interrupted");
  save_checkpoint(path, model, recipe, phase);
  throw Stopped{path};
}

void Session::stop_if_asked(nn::Module& model, const Recipe& recipe,
                            const std::string& phase) const {
  if (observer_.stopping()) stop(model, recipe, phase);
}

std::unique_ptr<nn::Module> make_model(const Recipe& recipe) {
  const data::SetInfo& info = data::info(recipe.data);
  return models::make(recipe.model, info.sample, static_cast<Index>(info.class_names.size()),
                      recipe.seed);
}

quant::Spec quant_spec(const Recipe& recipe) {
  return {tensor_spec(recipe, true), tensor_spec(recipe, false),
          recipe.weight_bits,        recipe.activation_bits,
          recipe.sum_bits,           recipe.seed};
}

Tensor sample_image(const Recipe& recipe) {
  const Shape sample = data::info(recipe.data).sample;
  return Tensor({1, sample[0], sample[1], sample[2]}, Real(0));
}

}  // namespace fraqat::run
