#include <cstring>
#include <limits>

#include "core/file.hpp"
#include "nn/state.hpp"
#include "tests/bad_input/bad_input.hpp"

namespace fraqat::test {
namespace state_files {

/// One weight of [2, 3] and one bias of [2].
struct Layer final : nn::Module {
  Var weight{Tensor({2, 3}, Real(1)), true}, bias{Tensor({2}, Real(2)), true};
  Var forward(const Var& x) override { return x; }
  void visit(nn::Visitor& visitor) override {
    visitor.parameter("weight", weight);
    visitor.parameter("bias", bias);
  }
  std::string_view kind() const override { return "Layer"; }
};

/// Loads, and then is sure that a refused file has changed nothing.
void load_untouched(const std::string& path) {
  Layer layer;
  try {
    nn::load_state(layer, path);
  } catch (...) {
    for (Real value : layer.weight.value().span())
      check(value == 1, "[test] weight has changed: got ", value, "; expected 1");
    for (Real value : layer.bias.value().span())
      check(value == 2, "[test] bias has changed: got ", value, "; expected 2");
    throw;
  }
}

template <class Change>
std::string changed(Change change) {
  Layer layer;
  nn::NamedTensors state = nn::state_of(layer);
  change(state);
  const auto file = nn::serialize(nn::to_safetensors(state));
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

// Written by hand: what is not finite is not saved.
std::string with_number(float number) {
  Layer layer;
  nn::SafeTensors tensors = nn::to_safetensors(nn::state_of(layer));
  for (nn::SafeTensors::Entry& entry : tensors.entries)
    if (entry.name == "weight")
      std::memcpy(entry.bytes.data() + 5 * sizeof number, &number, sizeof number);
  const auto file = nn::serialize(tensors);
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

std::string damaged() {
  Layer layer;
  nn::SafeTensors tensors = nn::to_safetensors(nn::state_of(layer));
  tensors.sealed = true;
  const auto file = nn::serialize(tensors);
  std::string text(reinterpret_cast<const char*>(file.data()), file.size());
  text.back() ^= 1;
  return text;
}

std::string integers() {
  return safetensors_file(R"({"bias":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},)"
                          R"("weight":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}})",
                          std::string(32, '\0'));
}

}  // namespace state_files

BadInputs state_cases() {
  using namespace state_files;
  using Limits = std::numeric_limits<float>;
  using State = nn::NamedTensors;
  return {
      {"state-empty", safetensors_file("{}"), load_untouched, R"(missing: "bias", "weight")"},
      {"state-missing", changed([](State& s) { s.erase("bias"); }), load_untouched,
       R"(missing: "bias")"},
      {"state-extra", changed([](State& s) { s.emplace("scale", Tensor({1}, Real(0))); }),
       load_untouched, R"(extra: "scale")"},
      {"state-transposed", changed([](State& s) {
         s.at("weight") = s.at("weight").reshape({3, 2});
       }),
       load_untouched, R"(reshaped: "weight" [3, 2] instead of [2, 3])"},
      {"state-flat", changed([](State& s) { s.at("weight") = s.at("weight").reshape({6}); }),
       load_untouched, R"(reshaped: "weight" [6] instead of [2, 3])"},
      {"state-nan", with_number(Limits::quiet_NaN()), load_untouched, R"("weight" at index 5)"},
      {"state-inf", with_number(Limits::infinity()), load_untouched, R"("weight" at index 5)"},
      {"state-minus-inf", with_number(-Limits::infinity()), load_untouched, "-inf"},
      {"state-integers", integers(), load_untouched, R"("bias": got I32; expected F32)"},
      {"state-damaged", damaged(), load_untouched, "wrong checksum"},
  };
}

}  // namespace fraqat::test
