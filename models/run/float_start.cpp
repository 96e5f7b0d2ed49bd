#include "models/run/float_start.hpp"

#include "core/file.hpp"
#include "core/text.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/session.hpp"
#include "models/weights.hpp"

namespace fraqat::run {

std::unique_ptr<nn::Module> read_float_model(const Recipe& recipe,
                                             const std::filesystem::path& path) {
  const std::string name = path.string();
  nn::SafeTensors file = nn::read_safetensors(name);
  if (!is_checkpoint(file.metadata)) {
    std::unique_ptr<nn::Module> model = make_model(recipe);
    models::apply_pytorch(*model, data::info(recipe.data).sample, std::move(file), name);
    return model;
  }
  Loaded loaded = load_checkpoint(path);
  check_usage(!loaded.quantized, "[train] --from ", in_quotes(name),
              " is no start: got a quantized network; expected the float checkpoint of a run");
  check_usage(loaded.recipe.model == recipe.model && loaded.recipe.data == recipe.data,
              "[train] --from ", in_quotes(name), " is another network: got ", loaded.recipe.model,
              " on ", loaded.recipe.data, "; expected ", recipe.model, " on ", recipe.data);
  return std::move(loaded.model);
}

std::string start_hash(const std::filesystem::path& path) {
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 32;
  return sha256(read_file(path.string(), most_bytes));
}

}  // namespace fraqat::run
