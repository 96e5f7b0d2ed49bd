#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "data/dataset.hpp"

namespace fraqat::data {

struct Batch {
  Tensor images;  // [N, H, W, C]
  Tensor labels;  // [N]
  std::uint32_t epoch = 0;
  Index step = 0;  // in the epoch
};

struct LoaderOptions {
  Index batch = 128;
  bool shuffle = true;
  bool drop_last = false;  // else the last batch of an epoch holds what is left
  std::uint64_t seed = 1;
  bool prefetch = true;  // prepare the next batches on a thread of the loader's own
};

/// Cuts a data set into batches, epoch by epoch.  The order is a function of
/// (seed, epoch) alone, so a resumed run starts in the middle of an epoch and
/// sees what it would have seen.
///
///   loader.start_epoch(epoch);
///   while (const Batch* batch = loader.next()) ...
///
/// Batches live in a ring that is filled ahead and used again, so that loading
/// asks the system for nothing.  A tensor that somebody still holds when its
/// place comes round is left to them and replaced.
class Loader {
 public:
  Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  Index steps_per_epoch() const;
  const Dataset& dataset() const { return *dataset_; }
  const LoaderOptions& options() const { return options_; }

  /// Begins `epoch` at batch `first_step`, whatever was under way.
  void start_epoch(std::uint32_t epoch, Index first_step = 0);

  /// The next batch, or nullptr at the epoch's end.  It is valid until the next
  /// call of next() or start_epoch().  What the data set throws is thrown here.
  const Batch* next();

  /// One epoch as a range, which begins it:
  ///
  ///   for (const Batch& batch : loader.epoch(1)) ...
  class Epoch {
   public:
    class Iterator {
     public:
      explicit Iterator(Loader& loader) : loader_(&loader), batch_(loader.next()) {}
      const Batch& operator*() const { return *batch_; }
      const Batch* operator->() const { return batch_; }
      Iterator& operator++() {
        batch_ = loader_->next();
        return *this;
      }
      bool operator==(std::default_sentinel_t) const { return batch_ == nullptr; }

     private:
      Loader* loader_;
      const Batch* batch_;
    };

    explicit Epoch(Loader& loader) : loader_(&loader) {}
    Iterator begin() const { return Iterator(*loader_); }
    std::default_sentinel_t end() const { return {}; }

   private:
    Loader* loader_;
  };
  Epoch epoch(std::uint32_t number) {
    start_epoch(number);
    return Epoch(*this);
  }

 private:
  static constexpr Index ring_size = 3;

  Batch& place(Index step) { return ring_[static_cast<std::size_t>(step % ring_size)]; }
  void prepare(Index step, Batch& batch) const;
  void give_back();
  void work();

  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  std::vector<std::uint32_t> order_;  // of the epoch under way
  std::uint32_t epoch_ = 0;
  std::array<Batch, ring_size> ring_;

  // Steps [taken_, made_) lie in the ring; the user holds step taken_ if lent_.
  // Guarded by the mutex, as order_ and epoch_ are while `working_`.
  std::mutex mutex_;
  std::condition_variable room_, news_;
  Index taken_ = 0, made_ = 0, end_ = 0;
  bool lent_ = false, working_ = false, closing_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

/// The order of epoch `epoch`: a permutation of [0, order.size()).
void shuffle(std::span<std::uint32_t> order, std::uint64_t seed, std::uint32_t epoch);

}  // namespace fraqat::data
