#pragma once

#include <memory>

#include "models/run/session.hpp"

namespace fraqat::run {

/// What a stretch of training minimises: the cross-entropy with the labels, and a
/// share of it replaced by the distance from what the float network of the run
/// answers to the same images, softened (Hinton, Vinyals and Dean, 2015):
///
///   (1 - a) CE(labels, z) + a T^2 KL(softmax(t / T), softmax(z / T))
class Objective {
 public:
  /// Reads the teacher from the run's checkpoint `float` if the stretch asks for one.
  Objective(const Session& session, const Training& training);

  /// softmax(t / T) [N, classes] for images [N, ...]; nothing without a teacher.
  /// To be asked outside of a TrainingStep: the teacher is not in training.
  Tensor soft_targets(const Tensor& images) const;

  /// The loss of `logits` z [N, classes], a scalar.
  Var loss(const Var& logits, const Tensor& labels, const Tensor& soft_targets) const;

 private:
  Real share_, temperature_, smoothing_;
  std::unique_ptr<nn::Module> teacher_;
};

}  // namespace fraqat::run
