#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.hpp"
#include "quant/ops.hpp"
#include "quant/width.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// How many bits: turns its parameters, on the tape, into weights p_j over the
/// candidate widths, or into one real width.  Inside a TrainingStep with noise the
/// policy may sample or mix; outside, every policy is one-hot at hard().
///
/// One policy decides on the width of a tensor, or on those of all its rows, each with
/// parameters of its own: nodes on the tape do not become more with them.
class BitPolicy {
 public:
  struct Choice {
    Var p;                    // [J]; [R, J] of R rows
    int first = 0, last = 0;  // the candidates [first, last) whose gradient it uses
    Var level = {};           // or, in place of p, a real width, [1] or [R]: a grid between two
  };

  virtual ~BitPolicy() = default;

  virtual std::string_view name() const = 0;
  virtual Choice choose() = 0;

  /// Rows that have a width of their own; 1: all share one.
  virtual Index rows() const { return 1; }

  /// b, the fractional bit-width, as a number and (for learned policies) on the
  /// tape, [rows], with a gradient to the parameters.
  virtual double bits(Index row = 0) const = 0;
  virtual Var bits_on_tape() { return {}; }

  /// The entropy of p, -sum p_j log p_j, of all rows, on the tape; none where p has no choice
  /// to lose.
  virtual Var entropy_on_tape() { return {}; }

  /// The position of the candidate that evaluation uses.
  virtual int hard(Index row = 0) const = 0;

  /// True if the width is whole and will stay.
  virtual bool decided() const { return false; }

  /// The learned parameter ([J] logits, or one number; as much for each row, one row after
  /// the other); none for fixed widths.
  virtual Var parameter() const { return {}; }

  /// The width that the parameter `values` of a row would give, and db / dvalues[i] there.
  virtual double bits_of(std::span<const double> /*values*/) const { return bits(); }
  virtual double slope(std::span<const double> /*values*/, std::size_t /*i*/) const { return 0; }

  /// Puts parameters back into their bounds after a step.
  virtual void project() {}

  /// From now on b is at most `widest`.
  virtual void limit(double /*widest*/) {}

  /// At a high temperature p is flat, towards 0 it becomes one-hot; policies
  /// without a distribution to cool ignore it, and are at 1.
  virtual void set_temperature(double) {}
  virtual double temperature() const { return 1; }

  /// Turns the gradient of the parameter into the natural one, which does not die
  /// where p_j does: what plain descent needs to come away from a width.
  virtual void make_natural() {}

  virtual void visit(nn::Visitor&) {}
};

/// One width, for good; or one for each row.
std::unique_ptr<BitPolicy> fixed_bits(const Widths& widths, int bits);
std::unique_ptr<BitPolicy> fixed_bits(const Widths& widths, const std::vector<int>& bits);

/// A number of levels, for good; its range lies between those of the two candidates
/// around it.  Of codes `twos` an even number, symmetric ones an odd one.
/// has_levels tells if these candidates have that grid between them.
bool has_levels(const Widths& widths, Coding coding, const Width& width);
std::unique_ptr<BitPolicy> fixed_levels(const Widths& widths, Coding coding, const Width& width);

/// How the distribution p over the widths follows from the parameters.
enum class LogitsForm {
  free,  // p = softmax(l), one parameter l_j for each width
  bell   // l_j = -(width_j - c)^2 / (2 1.2^2), c the only parameter
};

enum class LogitsForward { argmax, gumbel, gumbel_soft, mixture };

/// p = softmax(l), b = sum_j p_j width_j.  The forward pass takes the most probable
/// width (straight through), a Gumbel-softmax sample (Jang et al., 2017: hard, the
/// temperature being that of its gradient, or soft, an average by the relaxed sample), or
/// the weighted average of all, whose p is softmax(l / temperature), here and in b.
class LogitBits final : public BitPolicy {
 public:
  /// Starts at b = `initial`, with the spread of a normal distribution over the candidates, of
  /// a deviation of 1.2 bits (1.2 of their mean distances, where they are not 1 apart), so that
  /// none is out of reach; a b less than a quarter bit from an end starts that far inside.
  LogitBits(const Widths& widths, LogitsForward forward, double initial,
            LogitsForm form = LogitsForm::free)
      : LogitBits(widths, forward, std::vector{initial}, form) {}

  /// Rows, each with a start of its own.
  LogitBits(const Widths& widths, LogitsForward forward, const std::vector<double>& initial,
            LogitsForm form = LogitsForm::free);

  std::string_view name() const override;
  Choice choose() override;
  Index rows() const override { return rows_; }
  double bits(Index row = 0) const override;
  Var bits_on_tape() override;
  Var entropy_on_tape() override;
  int hard(Index row = 0) const override;
  Var parameter() const override { return parameter_; }
  double bits_of(std::span<const double> values) const override;
  double slope(std::span<const double> values, std::size_t i) const override;
  void project() override;
  void limit(double widest) override;
  void set_temperature(double temperature) override { temperature_ = temperature; }
  double temperature() const override { return temperature_; }
  void make_natural() override;
  void visit(nn::Visitor& visitor) override;

 private:
  using Numbers = std::array<double, Widths::most>;

  double cooling() const;
  Var cool_logits() const;
  double centre_of(double bits) const;
  Var sampled(const Var& logits) const;
  std::size_t size() const { return static_cast<std::size_t>(parameter_.value().size() / rows_); }
  Numbers values(Index row) const;
  void project(Index row);
  Numbers logits_of(std::span<const double> values) const;
  Numbers p_of(std::span<const double> values) const;
  double mean_of(std::span<const double> values) const;
  void shift(std::span<double> values, double way) const;

  Widths widths_;
  LogitsForward forward_;
  LogitsForm form_;
  double deviation_;  // of the bell
  Index rows_;
  Var parameter_;  // [J], or [1]; of rows [R, J], or [R, 1]
  Var positions_;  // of the bell: the widths, [J]
  std::vector<Var> one_hot_;
  double temperature_ = 1, widest_ = max_bits;
};

enum class DirectForward { stochastic, interpolated, level };

/// One real b between two candidates, p = (1 - f, f) at them.  The forward pass
/// takes one of the two, the upper with probability f (SDQ), its gradient being the
/// difference of the two; or it mixes both (FracBits, Yang and Jin, 2021); or it
/// quantizes to the levels that b bits stand for, 44 of 5.5 (level.hpp).
class DirectBits final : public BitPolicy {
 public:
  DirectBits(const Widths& widths, DirectForward forward, double initial)
      : DirectBits(widths, forward, std::vector{initial}) {}
  DirectBits(const Widths& widths, DirectForward forward, const std::vector<double>& initial);

  std::string_view name() const override;
  Choice choose() override;
  Index rows() const override { return bits_.value().size(); }
  double bits(Index row = 0) const override;
  Var bits_on_tape() override { return bits_; }
  int hard(Index row = 0) const override;
  Var parameter() const override { return bits_; }
  double bits_of(std::span<const double> values) const override;
  double slope(std::span<const double>, std::size_t) const override { return 1; }
  void project() override;
  void limit(double widest) override;
  void visit(nn::Visitor& visitor) override { visitor.parameter("bits", bits_); }

 private:
  Widths widths_;
  DirectForward forward_;
  Var bits_;  // [rows]
  std::vector<Var> one_hot_;
  double widest_ = max_bits;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
