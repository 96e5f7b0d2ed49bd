#pragma once

#include <memory>
#include <string>

#include "models/run/session.hpp"
#include "models/run/training.hpp"
#include "nn/containers.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::test {

/// The whole way on 320 synthetic images, one epoch each: about a second.
run::Recipe tiny_recipe(const std::string& model);

/// A convolution and two products for images [28, 28, 1], 200 + 6272 + 160
/// weights: layers that differ and cost next to nothing.  `noisy` adds batch
/// norm and dropout.
std::unique_ptr<nn::Sequential> small_net(std::uint64_t seed, bool noisy = false);

/// A run folder that disappears, and a session in it.
class TinySession {
 public:
  explicit TinySession(const run::Recipe& recipe)
      : recipe_(recipe),
        options_{folder_.path(), {}, {}, {}},
        session_(recipe_, options_, silent_) {}

  const run::Session& operator*() const { return session_; }

 private:
  TemporaryDirectory folder_;
  run::Recipe recipe_;
  run::Options options_;
  run::Observer silent_;
  run::Session session_;
};

/// Wants to stop after `steps` steps of `phase`.
class StopIn final : public run::Observer {
 public:
  StopIn(std::string phase, Index steps) : phase_(std::move(phase)), steps_(steps) {}
  void phase(std::string_view name, Index) override { here_ = name == phase_; }
  void step(Index done, double) override { stopping_ |= here_ && done >= steps_; }
  bool stopping() override { return stopping_; }

 private:
  std::string phase_;
  Index steps_;
  bool here_ = false, stopping_ = false;
};

/// `model` with quantizers as `recipe` says, ranges set.
void quantize(nn::Module& model, const run::Session& session, const run::Recipe& recipe);

}  // namespace fraqat::test
