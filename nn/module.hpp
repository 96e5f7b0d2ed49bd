#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ops.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {

class Module;
class Visitor;

/// Something that can be plugged into a slot: a tensor in, a tensor of the same
/// shape out (but for pooled_of_rectified).  nn declares the socket, quant supplies the plug.
class Transform {
 public:
  virtual ~Transform() = default;
  virtual Var operator()(const Var& x) = 0;

  /// (*this)(relu(x)), to the bit.
  virtual Var of_rectified(const Var& x) { return (*this)(op::relu(x)); }

  /// (*this)(batch_norm(norm)), to the bit; two ops where each_op_is_seen().
  virtual Var of_normalised(const op::BatchNormInput& norm) {
    return (*this)(op::batch_norm(norm));
  }

  /// What comes of relu, this and a max pool: all of it, to the bit unless a number is a NaN,
  /// or, where one op cannot do so, of_rectified(x), which the pool is still to follow.
  struct Pooled {
    Var y;
    bool pooled = false;
  };
  virtual Pooled pooled_of_rectified(const Var& x, const op::Pool2dOptions&) {
    return {of_rectified(x)};
  }

  /// Shows the parameters and buffers the transform owns.
  virtual void visit(Visitor&) {}
};

/// A named place in a layer that a tensor passes through: the identity until
/// it is filled.
class Slot {
 public:
  Var operator()(const Var& x) const { return transform_ ? (*transform_)(x) : x; }

  Var of_rectified(const Var& x) const {
    return transform_ ? transform_->of_rectified(x) : op::relu(x);
  }

  Var of_normalised(const op::BatchNormInput& norm) const {
    return transform_ ? transform_->of_normalised(norm) : op::batch_norm(norm);
  }

  Transform::Pooled pooled_of_rectified(const Var& x, const op::Pool2dOptions& pool) const {
    if (transform_) return transform_->pooled_of_rectified(x, pool);
    return {op::relu_max_pool2d(x, pool), true};
  }

  explicit operator bool() const { return transform_ != nullptr; }
  Transform* get() const { return transform_.get(); }
  void fill(std::shared_ptr<Transform> transform) { transform_ = std::move(transform); }
  std::shared_ptr<Transform> exchange(std::shared_ptr<Transform> transform) {
    return std::exchange(transform_, std::move(transform));
  }
  void clear() { transform_.reset(); }

 private:
  std::shared_ptr<Transform> transform_;
};

/// What `visit` shows: everything a module owns, by name.  Override what you
/// want to see; child() and slot() descend unless overridden, and path() then
/// gives the dotted name ("features.0.weight_q").
class Visitor {
 public:
  virtual ~Visitor() = default;

  virtual void parameter(std::string_view /*name*/, Var&) {}
  virtual void buffer(std::string_view /*name*/, Tensor&) {}
  virtual void slot(std::string_view name, Slot& slot);
  virtual void child(std::string_view name, Module& module);

  const std::string& path() const { return path_; }

  /// path() with `name` appended.
  std::string full(std::string_view name) const;

 protected:
  /// Runs f() with `name` appended to path().
  template <class F>
  void descend(std::string_view name, F&& f) {
    const std::size_t length = path_.size();
    path_ = full(name);
    f();
    path_.resize(length);
  }

 private:
  std::string path_;
};

/// A layer or a network: parameters, buffers, slots and children, all reached
/// through the one `visit`, and a forward pass made of ops.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// forward() with this module's path on every node that is recorded.
  Var operator()(const Var& x) {
    LayerScope scope(path_);
    return forward(x);
  }

  virtual Var forward(const Var& x) = 0;
  virtual void visit(Visitor& visitor) = 0;

  /// "Conv2d", for printing.
  virtual std::string_view kind() const = 0;

  /// Dotted name within the root that name_modules() was called on.
  const std::string& path() const { return path_; }
  void set_path(std::string path) { path_ = std::move(path); }

 protected:
  std::string path_;
};

/// Gives every module its path and every parameter its name.  Call it on the
/// finished network; networks by name (models/) come named.
void name_modules(Module& root);

template <class T>
struct Named {
  std::string name;
  T* item;
};

/// All parameters, buffers, slots or modules of `root`, by dotted name, in
/// order of visit.
std::vector<Named<Var>> parameters(Module& root);
std::vector<Named<Tensor>> buffers(Module& root);
std::vector<Named<Slot>> slots(Module& root);
std::vector<Named<Module>> modules(Module& root);

/// All parameters without their names, as an optimizer takes them.
std::vector<Var> variables(Module& root);

/// The module at `path` ("" is the root); an Error lists what there is.
Module& module_at(Module& root, std::string_view path);

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
