#include <unistd.h>

#include <chrono>
#include <iostream>

#include "data/loader.hpp"
#include "data/registry.hpp"
#include "models/run/training.hpp"
#include "quant/deploy/engine.hpp"
#include "tools/command.hpp"
#include "tools/model_file.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

struct EvalOptions final : Common {
  std::string model, data, weights, data_dir;
  Index limit = 0;
};

/// What the integer engine makes of a data set.
run::Score evaluate(const deploy::Engine& engine,
                    const std::shared_ptr<const data::Dataset>& dataset) {
  data::LoaderOptions options;
  options.shuffle = false;
  data::Loader loader(dataset, options);
  loader.start_epoch(0);
  double loss = 0;
  Index correct = 0;
  while (const data::Batch* batch = loader.next()) {
    const deploy::Outputs outputs = engine.run(batch->images);
    const std::vector<Index> predicted = deploy::predictions(outputs);
    const Var mean = op::softmax_cross_entropy(Var(outputs.logits), batch->labels);
    loss += static_cast<double>(mean.value().item()) * static_cast<double>(predicted.size());
    for (std::size_t n = 0; n < predicted.size(); ++n)
      correct += predicted[n] == static_cast<Index>(batch->labels[static_cast<Index>(n)]);
  }
  const auto size = static_cast<double>(dataset->size());
  return {100 * static_cast<double>(correct) / size, loss / size};
}

int eval(const EvalOptions& options) {
  const ModelFile model = options.weights.empty()
                              ? load_model(options.model)
                              : import_weights(options.model, options.data, options.weights);
  const std::string data = options.data.empty() ? model.data() : options.data;
  const auto test = model.test_set(data, options.data_dir, options.limit);
  const auto start = std::chrono::steady_clock::now();
  const run::Score score =
      model.packed ? evaluate(deploy::Engine(model.packed->graph), test)
                   : run::evaluate(*model.checkpoint->model, model.checkpoint->recipe, test);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rate = static_cast<double>(test->size()) / seconds;
  const std::string kind = model.packed                  ? "packed, integer engine"
                           : !options.weights.empty()    ? "float, weights of PyTorch"
                           : model.checkpoint->quantized ? "quantized checkpoint"
                                                         : "float checkpoint";
  if (options.json) {
    print_json({{"model", model.path},
                {"kind", kind},
                {"data", data},
                {"samples", test->size()},
                {"accuracy", score.accuracy},
                {"loss", score.loss},
                {"samples_per_second", rate}});
    return 0;
  }
  std::cout << "model     " << model.path << " (" << kind << ")\n"
            << "data      " << data << ", " << grouped(test->size()) << " test samples\n"
            << "accuracy  " << styled(fixed(score.accuracy, 2) + " %", Style::bold, STDOUT_FILENO)
            << '\n'
            << "loss      " << fixed(score.loss, 4) << '\n'
            << "speed     " << grouped(static_cast<Index>(rate)) << " samples/s\n";
  return 0;
}

}  // namespace

void add_eval(CLI::App& program) {
  const auto options = std::make_shared<EvalOptions>();
  Command command(program, "eval", "Accuracy and loss of a model on test data", options,
                  [options] { return eval(*options); });
  command
      .option("MODEL", options->model,
              "Packed model, checkpoint or run folder; with --weights the name of a network")
      .required();
  command.weights(options->weights);
  command.option("--data", options->data, "Data set; the one it was trained on unless given")
      .type("NAME");
  command.limit(options->limit);
  command.data_dir(options->data_dir);
}

}  // namespace fraqat::tools
