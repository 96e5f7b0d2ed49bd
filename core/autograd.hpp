#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/attributes.hpp"
#include "core/tensor.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// A tensor in the history of a computation: shared {value, grad, wants_grad}.
/// Copies are the same variable.  A default constructed Var is "none", which
/// optional inputs (a missing bias) are passed as; its value is an empty tensor.
class Var {
 public:
  Var() = default;
  explicit Var(Tensor value, bool wants_grad = false);

  explicit operator bool() const { return state_ != nullptr; }

  const Tensor& value() const;
  Tensor& value();
  const Shape& shape() const { return value().shape(); }

  /// dL/dvalue; empty until a backward pass has reached this variable.
  const Tensor& grad() const;
  Tensor& grad();
  void clear_grad() const;

  bool wants_grad() const { return state_ && state_->wants_grad; }
  void set_wants_grad(bool wants) { state_of("wish for a gradient").wants_grad = wants; }

  /// Name of a parameter ("features.0.weight"); empty for everything else.
  const std::string& name() const;
  void set_name(std::string name) { state_of("name").name = std::move(name); }

  /// Identity, to follow the edges of a recorded graph.
  const void* id() const { return state_.get(); }

  /// Adds a contribution to the gradient: the first is moved in, later ones are
  /// added in place only where nobody else holds the storage.
  void accumulate(Tensor contribution) const;

 private:
  struct State {
    Tensor value, grad;
    bool wants_grad = false;
    std::string name;
  };

  /// The state, to change its `part`; an Error for "none".
  State& state_of(std::string_view part) const;

  std::shared_ptr<State> state_;
};

/// Which inputs of an op need a gradient; the others may be left empty.
template <std::size_t N>
using Needs = std::array<bool, N>;

/// One recorded application of an op.
class Node {
 public:
  virtual ~Node() = default;

  virtual std::string_view op() const = 0;
  virtual std::span<const Var> inputs() const = 0;
  virtual Attributes attributes() const = 0;

  /// Passes the output's gradient on to the inputs.
  virtual void backward() = 0;

  const Var& output() const { return output_; }

  /// Path of the module that applied the op ("features.0"); empty outside.
  std::string_view layer() const { return layer_; }

  static void* operator new(std::size_t bytes) { return pool::acquire(bytes); }
  static void operator delete(void* node, std::size_t bytes) { pool::release(node, bytes); }

 protected:
  Node(Var output, std::string_view layer) : output_(std::move(output)), layer_(layer) {}

  Var output_;
  std::string_view layer_;
};

/// Records ops while it is alive, in order of creation; walking it backwards is
/// the topological order.  With no tape alive on this thread nothing is
/// recorded: that is inference.  Tapes nest; the innermost records.
class Tape {
 public:
  /// gradients: only what leads to a variable that wants a gradient.
  /// graph: everything, to be read as the model's graph.
  enum class Records { gradients, graph };

  explicit Tape(Records records = Records::gradients);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  static Tape* current();
  Records records() const { return records_; }

  /// Gradients of the scalar `loss`, the output of a node of this tape, for every
  /// variable that wants one, added to those that are there.  Each node is destroyed
  /// after its backward, which returns its memory, so a tape can be walked once.
  void backward(const Var& loss);

  using Nodes = std::vector<std::unique_ptr<Node>, PoolAllocator<std::unique_ptr<Node>>>;
  const Nodes& nodes() const { return nodes_; }
  void record(std::unique_ptr<Node> node) { nodes_.push_back(std::move(node)); }

 private:
  Records records_;
  Nodes nodes_;
  Tape* outer_;
};

/// Is told of every op that runs on this thread while it is alive; the innermost
/// is.  Profiles, traces and the search for the first NaN are watches: an op does
/// not know of them, and without one nothing is spent.
class Watch {
 public:
  Watch();
  virtual ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  static Watch* current();

  /// Whether it is about the numbers of every op, so that none may take in its neighbours.
  virtual bool wants_each_op() const { return true; }

  /// A forward or a backward pass of one op begins; then it has ended, with its
  /// result, or with the gradients of its inputs in node.inputs() (contributions of
  /// other ops included).
  virtual void begins() {}
  virtual void forward_ended(std::string_view op, std::string_view layer, const Tensor& output) = 0;
  virtual void backward_ended(const Node& node) = 0;

 private:
  Watch* outer_;
};

/// Whether somebody looks at every op by itself: a tape that records a graph, or a watch.  What
/// may do the work of several ops in one keeps them apart then; the bits are the same.
bool each_op_is_seen();

/// While alive, nodes recorded on this thread carry `path` as their layer.
/// `path` must outlive the tape.
class LayerScope {
 public:
  explicit LayerScope(std::string_view path);
  ~LayerScope();
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;

  static std::string_view current();

 private:
  std::string_view outer_;
};

/// What `op` says of itself.
template <class Op>
Attributes attributes_of(const Op& op) {
  Attributes attributes;
  if constexpr (requires { op.describe(attributes); }) op.describe(attributes);
  return attributes;
}

/// What an op is: a plain struct with a name, a forward and a backward, saved
/// tensors as members.  `describe(Attributes&)` is optional.  A backward that takes
/// dy by value owns it, and may overwrite it where it is unique.
template <class Op, std::size_t N>
class OpNode final : public Node {
 public:
  OpNode(Op op, std::array<Var, N> inputs, Var output)
      : Node(std::move(output), LayerScope::current()),
        op_(std::move(op)),
        inputs_(std::move(inputs)) {}

  std::string_view op() const override { return Op::name; }
  std::span<const Var> inputs() const override { return inputs_; }

  Attributes attributes() const override { return attributes_of(op_); }

  void backward() override {
    Needs<N> needs;
    for (std::size_t i = 0; i < N; ++i) needs[i] = inputs_[i].wants_grad();
    std::array<Tensor, N> gradients = op_.backward(std::move(output_.grad()), needs);
    for (std::size_t i = 0; i < N; ++i)
      if (needs[i] && gradients[i]) inputs_[i].accumulate(std::move(gradients[i]));
  }

 private:
  Op op_;
  std::array<Var, N> inputs_;
};

/// Variables in memory of the pool.
using Vars = std::vector<Var, PoolAllocator<Var>>;

/// The same for an op of any number of inputs: `backward(dy, i)` returns the
/// gradient of input i.
template <class Op>
class ListNode final : public Node {
 public:
  ListNode(Op op, std::span<const Var> inputs, Var output)
      : Node(std::move(output), LayerScope::current()),
        op_(std::move(op)),
        inputs_(inputs.begin(), inputs.end()) {}

  std::string_view op() const override { return Op::name; }
  std::span<const Var> inputs() const override { return inputs_; }
  Attributes attributes() const override { return attributes_of(op_); }

  void backward() override {
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].wants_grad())
        inputs_[i].accumulate(op_.backward(std::as_const(output_).grad(), i));
  }

 private:
  Op op_;
  Vars inputs_;
};

/// Refuses inputs with an extent of 0 in the name of `op`: here, for all ops at
/// once, so that no op has to say what it makes of them.  "None" is no input, but
/// may not be the first.
void check_not_empty(std::string_view op, std::span<const Var* const> inputs);

/// The result of `forward`, shown to the watch if there is one.
template <class Forward>
Tensor watched(std::string_view op, Forward&& forward) {
  Watch* watch = Watch::current();
  if (!watch) return forward();
  watch->begins();
  Tensor output = forward();
  watch->forward_ended(op, LayerScope::current(), output);
  return output;
}

/// Runs op.forward on the inputs' values and, where a tape wants it, records it.
/// `forward` takes one Tensor per input (empty for "none") and returns one;
/// `backward(dy, Needs<N>)` returns one Tensor per input; those not needed may be left empty.
template <class Op, class... Inputs>
Var apply(Op op, const Inputs&... inputs) {
  constexpr std::size_t n = sizeof...(Inputs);
  check_not_empty(Op::name, std::array<const Var*, n>{&inputs...});
  Tape* tape = Tape::current();
  const bool wants = tape && (inputs.wants_grad() || ...);
  Var output(watched(Op::name, [&] { return op.forward(inputs.value()...); }), wants);
  if (wants || (tape && tape->records() == Tape::Records::graph))
    tape->record(
        std::make_unique<OpNode<Op, n>>(std::move(op), std::array<Var, n>{inputs...}, output));
  return output;
}

/// The same for an op of any number of inputs: `forward` takes a span of tensors.
template <class Op>
Var apply_list(Op op, std::span<const Var> inputs) {
  Tape* tape = Tape::current();
  std::vector<Tensor, PoolAllocator<Tensor>> values;
  values.reserve(inputs.size());
  bool wants = false;
  for (const Var& input : inputs) {
    check_not_empty(Op::name, std::array{&input});
    values.push_back(input.value());
    wants = wants || (tape && input.wants_grad());
  }
  Var output(watched(Op::name, [&] { return op.forward(std::span<const Tensor>(values)); }), wants);
  if (wants || (tape && tape->records() == Tape::Records::graph))
    tape->record(std::make_unique<ListNode<Op>>(std::move(op), inputs, output));
  return output;
}

}  // namespace fraqat::inline FRAQAT_PRECISION
