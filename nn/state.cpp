#include "nn/state.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/text.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

constexpr std::size_t names_shown = 20;  // of each list in one line of error text

/// The module's own tensors: they share its storage.
NamedTensors tensors_of(Module& module) {
  NamedTensors found;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    if (!tensor) return;
    check(found.emplace(name, tensor).second, "[state] two tensors of one name: got ",
          in_quotes(name), " twice; expected every parameter and buffer to have its own");
  };
  for (auto& [name, parameter] : parameters(module)) add(name, parameter->value());
  for (auto& [name, buffer] : buffers(module)) add(name, *buffer);
  return found;
}

/// "; missing: a, b and 3 more", or nothing.
std::string listed(std::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::string text = "; " + std::string(what) + ": ";
  const std::size_t shown = std::min(names.size(), names_shown);
  for (std::size_t i = 0; i < shown; ++i) text += (i ? ", " : "") + names[i];
  if (shown < names.size()) text += " and " + std::to_string(names.size() - shown) + " more";
  return text;
}

std::string reshaped_text(const std::string& name, const Shape& got, const Shape& expected) {
  std::ostringstream text;
  text << in_quotes(name) << ' ' << got << " instead of " << expected;
  return text.str();
}

Tensor finite_tensor(const SafeTensors::Entry& entry, std::string_view origin) {
  check_input(entry.dtype == DType::f32, "[state] ", in_quotes(origin), ": wrong dtype of ",
              in_quotes(entry.name), ": got ", dtype_name(entry.dtype), "; expected F32");
  std::vector<float> numbers(entry.bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), entry.bytes.data(), entry.bytes.size());
  const auto bad = std::find_if(numbers.begin(), numbers.end(),
                                [](float number) { return !std::isfinite(number); });
  check_input(bad == numbers.end(), "[state] ", in_quotes(origin), ": bad number in ",
              in_quotes(entry.name), " at index ", bad - numbers.begin(), ": got ",
              bad == numbers.end() ? 0.0f : *bad, "; expected a finite one");
  Tensor tensor(entry.shape);
  std::copy(numbers.begin(), numbers.end(), tensor.data());
  return tensor;
}

}  // namespace

NamedTensors state_of(Module& module) {
  NamedTensors state;
  for (const auto& [name, tensor] : tensors_of(module)) state.emplace(name, tensor.clone());
  return state;
}

void check_same_layout(const NamedTensors& expected, const NamedTensors& state,
                       std::string_view origin) {
  std::vector<std::string> missing, extra, reshaped;
  for (const auto& [name, tensor] : expected) {
    const auto found = state.find(name);
    if (found == state.end())
      missing.push_back(in_quotes(name));
    else if (found->second.shape() != tensor.shape())
      reshaped.push_back(reshaped_text(name, found->second.shape(), tensor.shape()));
  }
  for (const auto& [name, tensor] : state)
    if (!expected.contains(name)) extra.push_back(in_quotes(name));
  check_input(missing.empty() && extra.empty() && reshaped.empty(), "[state] ", in_quotes(origin),
              " is not of this network: got ", state.size(), " tensors; expected ", expected.size(),
              listed("missing", missing), listed("extra", extra), listed("reshaped", reshaped));
}

void apply_state(Module& module, const NamedTensors& state, std::string_view origin) {
  NamedTensors own = tensors_of(module);
  check_same_layout(own, state, origin);
  for (auto& [name, tensor] : own) {
    const Tensor& source = state.at(name);
    std::copy(source.span().begin(), source.span().end(), tensor.data());
  }
}

NamedTensors with_prefix(std::string_view prefix, const NamedTensors& state) {
  NamedTensors renamed;
  for (const auto& [name, tensor] : state) renamed.emplace(std::string(prefix) + name, tensor);
  return renamed;
}

NamedTensors under_prefix(std::string_view prefix, const NamedTensors& state) {
  NamedTensors found;
  for (const auto& [name, tensor] : state)
    if (name.starts_with(prefix)) found.emplace(name.substr(prefix.size()), tensor);
  return found;
}

SafeTensors to_safetensors(const NamedTensors& state, const Metadata& metadata) {
  SafeTensors tensors;
  tensors.metadata = metadata;
  for (const auto& [name, tensor] : state) {
    const auto all = tensor.span();
    const auto bad = std::find_if(all.begin(), all.end(),
                                  [](Real v) { return !std::isfinite(static_cast<float>(v)); });
    check(bad == all.end(), "[state] cannot save ", in_quotes(name), ": got ",
          bad == all.end() ? Real(0) : *bad, " at index ", bad - all.begin(),
          "; expected finite numbers, which alone are read back; try a smaller rate or clip");
    const auto numbers = std::vector<float>(tensor.span().begin(), tensor.span().end());
    const auto bytes = std::as_bytes(std::span(numbers));
    tensors.entries.push_back({name, DType::f32, tensor.shape(), {bytes.begin(), bytes.end()}});
  }
  return tensors;
}

NamedTensors from_safetensors(const SafeTensors& tensors, std::string_view origin) {
  NamedTensors state;
  for (const auto& entry : tensors.entries) state.emplace(entry.name, finite_tensor(entry, origin));
  return state;
}

void save_state(Module& module, const std::string& path, const Metadata& metadata) {
  SafeTensors tensors = to_safetensors(state_of(module), metadata);
  tensors.sealed = true;
  write_safetensors(path, tensors);
}

Metadata load_state(Module& module, const std::string& path) {
  SafeTensors tensors = read_safetensors(path);
  apply_state(module, from_safetensors(tensors, path), path);
  return std::move(tensors.metadata);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
