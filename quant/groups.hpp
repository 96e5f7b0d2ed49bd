#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/autograd.hpp"

/// Which ops of a recorded forward pass belong together: a group is what one
/// integer op could do, so that only its end has to be quantized.
namespace fraqat::inline FRAQAT_PRECISION::quant {

/// True if `op` is one of `names`.
bool any_of(std::string_view op, std::initializer_list<std::string_view> names);

/// Products of codes and a weight, in their input 1.
bool multiplies_weight(const Node& node);

/// Ops whose result holds numbers of their inputs and nothing else: codes in, the
/// same codes out.  relu, clip and relu6 of codes clamp them.
bool moves_codes(const Node& node);
bool clamps(const Node& node);

/// True if the result is never negative, whatever is read.
bool never_negative(const Node& node);

/// True if the result is not negative where no input is.
bool keeps_sign(const Node& node);

/// Where tensors come from and who reads them.
class Groups {
 public:
  explicit Groups(const Tape& tape);

  /// The ops that read `value`, in order; none if it leads nowhere.
  const std::vector<const Node*>& readers(const Var& value) const;

  /// The op that made `value`; null for parameters, data and constants.
  const Node* maker(const Var& value) const;

  /// 'relu in layer "relu1"', or "outside the model".
  std::string origin(const Var& value) const;

  /// The op that goes on with the group of `node`, null if the group ends there:
  /// batch norm behind a product, an activation behind a product or norm, a clamp
  /// behind an add, and whatever the same module does next with the result alone.
  const Node* follower(const Node& node) const;

 private:
  bool reads_alone(const Node& next, const Var& value) const;

  std::map<const void*, std::vector<const Node*>> readers_;
  std::map<const void*, const Node*> makers_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
