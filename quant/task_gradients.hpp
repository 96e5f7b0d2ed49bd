#pragma once

#include <vector>

#include "quant/quantizer.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Watches whether learned widths are being learned: a width that the task's loss never
/// asks anything of would be moved by its price alone.
class TaskGradients {
 public:
  /// Those of `all` whose width is learned.  They must outlive this.
  explicit TaskGradients(const std::vector<Quantizer*>& all);

  /// After each backward pass, before anything but the task has left gradients on the widths.
  void note();

  /// Throws if a width strictly between its bounds (by more than 0.01) has had a task gradient of
  /// exactly zero in every note() since the last call; names the tensor.  A row alone may do so,
  /// since a channel that no image excites has no gradient at all; a tensor must not.
  void check_alive();

  /// One number for each width that is watched, and back, for a resumed search.
  const std::vector<char>& state() const { return touched_; }
  void set_state(std::vector<char> touched);

 private:
  std::vector<Quantizer*> learned_;
  std::vector<char> touched_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
