#include <iostream>

#include "tools/command.hpp"
#include "tools/model_file.hpp"
#include "tools/terminal.hpp"

namespace fraqat::tools {
namespace {

struct ExportOptions final : Common {
  std::string model, format = "fraqat", out;
};

int export_model(const ExportOptions& options) {
  const ModelFile model = load_model(options.model);
  const deploy::Graph graph = model.graph();
  deploy::write_packed(options.out, graph, model.info());
  const deploy::Packed written = deploy::read_packed(options.out);
  const Index data = deploy::data_bytes(graph);
  if (options.json) {
    print_json({{"model", model.path},
                {"format", options.format},
                {"out", options.out},
                {"model_bytes", written.file_bytes},
                {"data_bytes", data},
                {"header_bytes", written.header_bytes()}});
    return 0;
  }
  std::cout << options.out << ": " << grouped(written.file_bytes) << " bytes = " << grouped(data)
            << " data + " << grouped(written.header_bytes()) << " header\n";
  return 0;
}

}  // namespace

void add_export(CLI::App& program) {
  const auto options = std::make_shared<ExportOptions>();
  Command command(program, "export", "Write a rounded network in another format", options,
                  [options] { return export_model(*options); });
  command.option("MODEL", options->model, "Checkpoint with integer widths, or packed model")
      .required();
  command.option("--to", options->format, "Format: fraqat")
      .required()
      .one_of({"fraqat"})
      .type("FORMAT");
  command.option("--out", options->out, "File to write").required().type("PATH");
}

}  // namespace fraqat::tools
