#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "core/watch.hpp"
#include "nn/module.hpp"

namespace fraqat::run {

/// Passes over a network, forward and backward: of a step, or of an evaluation.
using Passes = std::function<void()>;

/// A step that may be traced; epoch and step count from 1.
struct TracedStep {
  std::string phase;
  int epoch = 1;
  Index step = 1;
  const std::vector<nn::Named<Var>>& parameters;
};

/// Does the passes of the step `at`.  If it is the first of its epoch, appends a trace of them
/// to the CSV file `path`: phase, epoch, step, layer, op, what, shape, numbers, bad, low, high,
/// mean.  If they end with an Error, whichever step it is, appends how far they came and the
/// parameters before the Error is passed on; what nobody has watched is done `again` for that.
void with_trace(const std::filesystem::path& path, const TracedStep& at, const Passes& passes,
                const Passes& again);

/// Appends a line for each parameter: its layer, no op, "value of PARAMETER".
void trace_parameters(const std::filesystem::path& path, const TracedStep& at);

/// Where in `passes` the first number that is none came up, in words.
std::string first_bad_in(const Passes& passes);

/// The end of an error about that.
constexpr const char* finite_expected = "; expected finite ones; try a smaller rate or clip";

/// An Error, which begins with `who`, if the loss of a step or the gradient of a parameter is
/// no number; its passes, done `again`, say where the first came up.
void check_numbers(const char* who, double loss, const std::vector<nn::Named<Var>>& parameters,
                   const Passes& again);

}  // namespace fraqat::run
