#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/autograd.hpp"
#include "optim/schedule.hpp"
#include "optim/state.hpp"

namespace fraqat::optim {

/// Parameters that are treated alike.  The Vars share their state with the
/// model's, so an update is seen there.
struct ParameterGroup {
  std::vector<Var> parameters;
  double rate_scale = 1;
  double weight_decay = 0;
  std::string name = {};

  /// Instead of the rate given to step(): a schedule of the group's own, asked
  /// at the number of steps done (still times rate_scale).
  std::optional<Schedule> schedule = {};
};

/// Moves parameters along their gradients.  Every parameter belongs to exactly
/// one group; one without a gradient is skipped and its state left alone.  All
/// state is allocated here and now: step() asks the system for nothing.
class Optimizer {
 public:
  explicit Optimizer(std::vector<ParameterGroup> groups);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  void step(double rate);
  void clear_gradients();

  const std::vector<ParameterGroup>& groups() const { return groups_; }

  /// The rate that step(rate) would use for `group` now.
  double rate_of(const ParameterGroup& group, double rate) const;

  /// Finished steps; with the tensors of visit_state all there is to resume.
  Index steps() const { return steps_; }
  void set_steps(Index steps);
  virtual void visit_state(const StateVisitor& visit) = 0;

  virtual std::string_view kind() const = 0;

 protected:
  /// Updates parameter `index` (counted through all groups), which has a
  /// gradient, at a rate that includes all of the group's factors.
  virtual void update(std::size_t index, Var& parameter, double rate, double decay) = 0;

  /// An Error of `who` unless `epsilon` is positive and finite as a float, which it is used as.
  static void check_epsilon(std::string_view who, double epsilon);

  /// All parameters, in order of index.
  const std::vector<Var>& parameters() const { return parameters_; }

  /// "momentum.features.0.weight"; a nameless parameter is called by its index.
  std::string state_name(std::string_view what, std::size_t index) const;

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<Var> parameters_;
  std::vector<Shape> shapes_;  // of the parameters, and of their state
  Index steps_ = 0;
};

struct SgdOptions {
  double momentum = 0;
  bool nesterov = false;
  bool decoupled_decay = false;
};

/// Stochastic gradient descent with momentum; the formula is in sgd.cpp.
class Sgd final : public Optimizer {
 public:
  explicit Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options = {});
  void visit_state(const StateVisitor& visit) override;
  std::string_view kind() const override { return "sgd"; }

 private:
  void update(std::size_t index, Var& parameter, double rate, double decay) override;

  SgdOptions options_;
  std::vector<Tensor> momentum_;  // none if the momentum is 0
};

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Adam (Kingma and Ba, 2015), weight decay coupled; the formula is in adam.cpp.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<ParameterGroup> groups, const AdamOptions& options = {});
  void visit_state(const StateVisitor& visit) override;
  std::string_view kind() const override { return "adam"; }

 protected:
  void update(std::size_t index, Var& parameter, double rate, double decay) override;

  /// w = shrink w - (Adam's step for the gradient g + coupled w).
  void advance(std::size_t index, Var& parameter, double rate, double coupled, double shrink);

 private:
  struct State {
    Tensor first, second;
    Tensor updates;  // a whole number: steps in which the parameter had a gradient
  };

  AdamOptions options_;
  std::vector<State> states_;
};

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
class AdamW final : public Adam {
 public:
  using Adam::Adam;
  std::string_view kind() const override { return "adamw"; }

 private:
  void update(std::size_t index, Var& parameter, double rate, double decay) override;
};

struct RmsPropOptions {
  double alpha = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  bool centered = false;
};

/// Divides every gradient by its usual size (Hinton, 2012); the formula is in
/// rmsprop.cpp.
class RmsProp final : public Optimizer {
 public:
  explicit RmsProp(std::vector<ParameterGroup> groups, const RmsPropOptions& options = {});
  void visit_state(const StateVisitor& visit) override;
  std::string_view kind() const override { return "rmsprop"; }

 private:
  struct State {
    Tensor square;
    Tensor mean;      // none unless centered
    Tensor momentum;  // none if the momentum is 0
  };

  void update(std::size_t index, Var& parameter, double rate, double decay) override;

  RmsPropOptions options_;
  std::vector<State> states_;
};

struct AdagradOptions {
  double rate_decay = 0;
  double epsilon = 1e-10;
  double initial_sum = 0;  // of the squares
};

/// A rate for every weight, falling with its gradients (Duchi, Hazan and Singer,
/// 2011); the formula is in adagrad.cpp.
class Adagrad final : public Optimizer {
 public:
  explicit Adagrad(std::vector<ParameterGroup> groups, const AdagradOptions& options = {});
  void visit_state(const StateVisitor& visit) override;
  std::string_view kind() const override { return "adagrad"; }

 private:
  struct State {
    Tensor sum;
    Tensor updates;  // a whole number: steps in which the parameter had a gradient
  };

  void update(std::size_t index, Var& parameter, double rate, double decay) override;

  AdagradOptions options_;
  std::vector<State> states_;
};

struct LionOptions {
  double beta1 = 0.9, beta2 = 0.99;
};

/// The sign of the momentum (Chen et al., 2023), weight decay decoupled; the
/// formula is in lion.cpp.
class Lion final : public Optimizer {
 public:
  explicit Lion(std::vector<ParameterGroup> groups, const LionOptions& options = {});
  void visit_state(const StateVisitor& visit) override;
  std::string_view kind() const override { return "lion"; }

 private:
  void update(std::size_t index, Var& parameter, double rate, double decay) override;

  LionOptions options_;
  std::vector<Tensor> momentum_;
};

/// Scales all gradients by one factor so that their common Euclidean norm is at
/// most `max_norm`; returns the norm there was.  The sum is in double and in a
/// fixed order.  A gradient that is not finite is an Error naming its parameter.
double clip_gradients_by_norm(std::span<const Var> parameters, double max_norm);
double clip_gradients_by_norm(std::span<const ParameterGroup> groups, double max_norm);

/// Brings every element of every gradient into [-limit, limit].
void clip_gradients_by_value(std::span<const Var> parameters, double limit);
void clip_gradients_by_value(std::span<const ParameterGroup> groups, double limit);

}  // namespace fraqat::optim
