#pragma once

#include <chrono>
#include <map>
#include <string>

#include "core/autograd.hpp"

/// Watches (core/autograd.hpp) for those who want to know what a step does.
namespace fraqat::inline FRAQAT_PRECISION {

/// Seconds and calls per op, forward and backward apart.  What a backward pass
/// takes includes adding up gradients that meet in one tensor.
class Profile final : public Watch {
 public:
  struct Time {
    double seconds = 0;
    Index calls = 0;
  };
  struct Line {
    Time forward, backward;
  };

  bool wants_each_op() const override { return false; }
  void begins() override;
  void forward_ended(std::string_view op, std::string_view, const Tensor&) override;
  void backward_ended(const Node& node) override;

  /// By name of the op.
  const std::map<std::string, Line, std::less<>>& lines() const { return lines_; }
  double seconds() const;

 private:
  void add(Time& time);
  Line& line(std::string_view op);

  std::chrono::steady_clock::time_point begin_;
  std::map<std::string, Line, std::less<>> lines_;
};

/// Smallest, largest and mean of what is finite, and how much is not.
struct Summary {
  double low = 0, high = 0, mean = 0;
  Index numbers = 0, bad = 0;  // bad: NaN or infinite
};

Summary summary_of(const Tensor& tensor);

/// A summary of every result and of every gradient, in the order they came.
class Trace final : public Watch {
 public:
  struct Line {
    std::string layer, op;
    std::string what;  // "output", "gradient", or "gradient of PARAMETER"
    Shape shape;
    Summary summary;
  };

  void forward_ended(std::string_view op, std::string_view layer, const Tensor& output) override;
  void backward_ended(const Node& node) override;

  const std::vector<Line>& lines() const { return lines_; }

 private:
  std::vector<Line> lines_;
};

/// Where the first NaN or infinity appeared, in words; empty while there is none.
class FirstBad final : public Watch {
 public:
  void forward_ended(std::string_view op, std::string_view layer, const Tensor& output) override;
  void backward_ended(const Node& node) override;

  const std::string& text() const { return text_; }

 private:
  void look(const char* what, std::string_view op, std::string_view layer, const Tensor& tensor);

  std::string text_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION
