#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.hpp"
#include "quant/ops.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// How many bits: turns its parameters, on the tape, into weights p_j over the
/// candidate widths.  Inside a TrainingStep with noise the policy may sample;
/// outside, every policy is one-hot at hard().
class BitPolicy {
 public:
  struct Choice {
    Var p;                    // [J]
    int first = 0, last = 0;  // the candidates [first, last) whose gradient it uses
  };

  virtual ~BitPolicy() = default;

  virtual std::string_view name() const = 0;
  virtual Choice choose() = 0;

  /// b, the fractional bit-width, as a number and (for learned policies) on the
  /// tape, with a gradient to the parameters.
  virtual double bits() const = 0;
  virtual Var bits_on_tape() { return {}; }

  /// The position of the candidate that evaluation uses.
  virtual int hard() const = 0;

  /// The learned parameter ([J] logits or one b); none for fixed widths.
  virtual Var parameter() const { return {}; }

  /// The width that the parameter `values` would give, and db / dvalues[i] there.
  virtual double bits_of(std::span<const double> /*values*/) const { return bits(); }
  virtual double slope(std::span<const double> /*values*/, std::size_t /*i*/) const { return 0; }

  /// Puts parameters back into their bounds after a step.
  virtual void project() {}

  virtual void visit(nn::Visitor&) {}
};

/// One width, for good.
std::unique_ptr<BitPolicy> fixed_bits(const Widths& widths, int bits);

enum class LogitsForward { argmax, gumbel, mixture };

/// p = softmax(l), b = sum_j j p_j.  The forward pass takes the most probable
/// width (straight through), a Gumbel-softmax sample (hard, at a temperature
/// that may be annealed; Jang et al., 2017), or the weighted average of all.
class LogitBits final : public BitPolicy {
 public:
  /// Starts at b = `initial`, with the spread of a normal distribution of
  /// deviation 1.2 bits over the candidates, so that none is out of reach; a b
  /// less than a quarter bit from an end starts that far inside.
  LogitBits(const Widths& widths, LogitsForward forward, double initial);

  std::string_view name() const override;
  Choice choose() override;
  double bits() const override;
  Var bits_on_tape() override;
  int hard() const override;
  Var parameter() const override { return logits_; }
  double bits_of(std::span<const double> values) const override;
  double slope(std::span<const double> values, std::size_t i) const override;
  void visit(nn::Visitor& visitor) override { visitor.parameter("logits", logits_); }

  double temperature = 1;  // of the Gumbel sample

 private:
  Widths widths_;
  LogitsForward forward_;
  Var logits_;
  std::vector<Var> one_hot_;
};

/// One real b; the forward pass takes floor(b) or ceil(b), ceil with probability
/// b - floor(b), and the gradient is the difference of the two (SDQ).
class StochasticBits final : public BitPolicy {
 public:
  StochasticBits(const Widths& widths, double initial);

  std::string_view name() const override { return "stochastic"; }
  Choice choose() override;
  double bits() const override;
  Var bits_on_tape() override { return bits_; }
  int hard() const override;
  Var parameter() const override { return bits_; }
  double bits_of(std::span<const double> values) const override;
  double slope(std::span<const double>, std::size_t) const override { return 1; }
  void project() override;
  void visit(nn::Visitor& visitor) override { visitor.parameter("bits", bits_); }

 private:
  Widths widths_;
  Var bits_;  // [1]
  std::vector<Var> one_hot_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
