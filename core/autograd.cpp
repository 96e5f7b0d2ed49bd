#include "core/autograd.hpp"

#include <algorithm>

namespace fraqat::inline FRAQAT_PRECISION {
namespace {

thread_local Tape* current_tape = nullptr;
thread_local std::string_view current_layer;
thread_local Watch* current_watch = nullptr;

const Tensor no_tensor;
const std::string no_name;

}  // namespace

Var::Var(Tensor value, bool wants_grad)
    : state_(std::allocate_shared<State>(PoolAllocator<State>{})) {
  state_->value = std::move(value);
  state_->wants_grad = wants_grad;
}

const Tensor& Var::value() const { return state_ ? state_->value : no_tensor; }

Tensor& Var::value() { return state_of("value").value; }

const Tensor& Var::grad() const { return state_ ? state_->grad : no_tensor; }

Tensor& Var::grad() { return state_of("gradient").grad; }

void Var::clear_grad() const {
  if (state_) state_->grad = Tensor();
}

Var::State& Var::state_of(std::string_view part) const {
  check(state_ != nullptr, "[var] the ", part,
        " of none cannot be changed: got no variable; expected one; try Var(tensor)");
  return *state_;
}

const std::string& Var::name() const { return state_ ? state_->name : no_name; }

void Var::accumulate(Tensor contribution) const {
  check(contribution.shape() == shape(), "[backward] gradient of the wrong shape: got ",
        contribution.shape(), "; expected ", shape());
  Tensor& grad = state_of("gradient").grad;
  if (!grad) {
    grad = std::move(contribution);
    return;
  }
  if (!grad.unique()) grad = grad.clone();  // `add` returns one dy for both of its inputs
  add_in_place(grad, contribution);
}

void check_not_empty(std::string_view op, std::span<const Var* const> inputs) {
  check(static_cast<bool>(*inputs.front()), "[", op,
        "] an operand is none: got no tensor; expected one");
  for (const Var* input : inputs)
    check(!*input || input->value().size() > 0, "[", op, "] an empty tensor: got ", input->shape(),
          "; expected extents of 1 or more");
}

Tape::Tape(Records records) : records_(records), outer_(current_tape) { current_tape = this; }

Tape::~Tape() { current_tape = outer_; }

Tape* Tape::current() { return current_tape; }

bool each_op_is_seen() {
  const Tape* tape = Tape::current();
  const Watch* watch = Watch::current();
  return (tape && tape->records() == Tape::Records::graph) || (watch && watch->wants_each_op());
}

void Tape::backward(const Var& loss) {
  check(records_ == Records::gradients,
        "[backward] no gradients on this tape: got Records::graph; expected Records::gradients");
  check(loss.value().size() == 1, "[backward] the loss is no scalar: got shape ", loss.shape(),
        "; expected one element; try sum or mean");
  check(loss.wants_grad(),
        "[backward] the loss depends on nothing that wants a gradient: got a constant; expected a "
        "function of a variable that does");
  const auto gives_loss = [&](const auto& node) { return node->output().id() == loss.id(); };
  check(std::any_of(nodes_.rbegin(), nodes_.rend(), gives_loss),  // mostly the last one does
        "[backward] the loss was not computed on this tape: got the output of none of its ",
        nodes_.size(), " nodes; expected that of one; try a new Tape: one can be walked once");
  loss.accumulate(Tensor(loss.shape(), Real(1)));
  for (; !nodes_.empty(); nodes_.pop_back()) {
    Node& node = *nodes_.back();
    if (!node.output().grad()) continue;  // does not lead to the loss
    if (current_watch) current_watch->begins();
    node.backward();
    if (current_watch) current_watch->backward_ended(node);
    node.output().clear_grad();
  }
}

Watch::Watch() : outer_(current_watch) { current_watch = this; }

Watch::~Watch() { current_watch = outer_; }

Watch* Watch::current() { return current_watch; }

LayerScope::LayerScope(std::string_view path) : outer_(current_layer) { current_layer = path; }

LayerScope::~LayerScope() { current_layer = outer_; }

std::string_view LayerScope::current() { return current_layer; }

}  // namespace fraqat::inline FRAQAT_PRECISION
