#include "models/run/check_network.hpp"

#include "models/run/bit_rounding.hpp"
#include "models/run/budgets.hpp"
#include "models/run/session.hpp"

namespace fraqat::run {

void check_network(const Recipe& recipe) {
  if (!recipe.quantize) return;
  try {
    const std::unique_ptr<nn::Module> model = make_model(recipe);
    const Tensor image = sample_image(recipe);
    quant::attach(*model, image, quant_spec(recipe));
    const quant::Workload workload = quant::workload_of(*model, image);
    const std::vector<quant::Budget> budgets = budgets_of(workload, recipe);
    BitRounding(workload, budgets, recipe).check_feasible();
  } catch (const Error& error) {
    fail(Error::Kind::usage, error.what());
  }
}

}  // namespace fraqat::run
