#include "models/models.hpp"

#include "models/build.hpp"

namespace fraqat::models {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<nn::Module> (*build)(Build&);
};

constexpr Entry entries[] = {
    {"mlp", mlp},
    {"lenet5", [](Build& b) { return lenet5(b, false); }},
    {"lenet5-bn", [](Build& b) { return lenet5(b, true); }},
    {"cnn-32-64", cnn_32_64},
    {"tiny-resnet", tiny_resnet},
    {"resnet20", [](Build& b) { return resnet(b, 20, Shortcut::pad); }},
    {"resnet32", [](Build& b) { return resnet(b, 32, Shortcut::pad); }},
    {"resnet44", [](Build& b) { return resnet(b, 44, Shortcut::pad); }},
    {"resnet56", [](Build& b) { return resnet(b, 56, Shortcut::pad); }},
    {"resnet20-b", [](Build& b) { return resnet(b, 20, Shortcut::project); }},
    {"resnet32-b", [](Build& b) { return resnet(b, 32, Shortcut::project); }},
    {"resnet44-b", [](Build& b) { return resnet(b, 44, Shortcut::project); }},
    {"resnet56-b", [](Build& b) { return resnet(b, 56, Shortcut::project); }},
};

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Entry& entry : entries) all.emplace_back(entry.name);
  return all;
}

std::unique_ptr<nn::Module> make(std::string_view name, const Shape& sample, Index classes,
                                 std::uint64_t seed) {
  check(sample.rank() == 3, "[models] samples must be images [H, W, C]: got ", sample);
  std::string known;
  for (const Entry& entry : entries) {
    if (entry.name == name) {
      Build build{sample[0], sample[1], sample[2], classes, nn::Initializer(seed)};
      std::unique_ptr<nn::Module> model = entry.build(build);
      nn::name_modules(*model);
      return model;
    }
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail(Error::Kind::usage, "[models] no such model: got \"", name, "\"; expected one of ", known);
}

}  // namespace fraqat::models
