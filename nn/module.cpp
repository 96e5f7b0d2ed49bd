#include "nn/module.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

template <class T, class Show>
std::vector<Named<T>> collect(Module& root, Show) {
  Show collector;
  root.visit(collector);
  return std::move(collector.found);
}

struct Parameters : Visitor {
  std::vector<Named<Var>> found;
  void parameter(std::string_view name, Var& value) override {
    if (value) found.push_back({full(name), &value});
  }
};

struct Buffers : Visitor {
  std::vector<Named<Tensor>> found;
  void buffer(std::string_view name, Tensor& value) override {
    found.push_back({full(name), &value});
  }
};

struct Slots : Visitor {
  std::vector<Named<Slot>> found;
  void slot(std::string_view name, Slot& slot) override { found.push_back({full(name), &slot}); }
};

struct Modules : Visitor {
  std::vector<Named<Module>> found;
  void child(std::string_view name, Module& module) override {
    found.push_back({full(name), &module});
    Visitor::child(name, module);
  }
};

}  // namespace

void Visitor::slot(std::string_view name, Slot& slot) {
  if (slot) descend(name, [&] { slot.get()->visit(*this); });
}

void Visitor::child(std::string_view name, Module& module) {
  descend(name, [&] { module.visit(*this); });
}

std::string Visitor::full(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void name_modules(Module& root) {
  root.set_path("");
  for (auto& [name, module] : modules(root)) module->set_path(name);
  for (auto& [name, parameter] : parameters(root)) parameter->set_name(name);
}

std::vector<Named<Var>> parameters(Module& root) { return collect<Var>(root, Parameters{}); }
std::vector<Named<Tensor>> buffers(Module& root) { return collect<Tensor>(root, Buffers{}); }
std::vector<Named<Slot>> slots(Module& root) { return collect<Slot>(root, Slots{}); }

std::vector<Var> variables(Module& root) {
  std::vector<Var> all;
  for (auto& [name, parameter] : parameters(root)) all.push_back(*parameter);
  return all;
}

std::vector<Named<Module>> modules(Module& root) {
  std::vector<Named<Module>> all = collect<Module>(root, Modules{});
  all.insert(all.begin(), {std::string(), &root});
  return all;
}

Module& module_at(Module& root, std::string_view path) {
  std::string known;
  for (auto& [name, module] : modules(root)) {
    if (name == path) return *module;
    if (!name.empty()) known += (known.empty() ? "" : ", ") + name;
  }
  fail(Error::Kind::failed, "[module] no such layer: got \"", path, "\"; expected one of ", known);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
