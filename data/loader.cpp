#include "data/loader.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "core/random.hpp"

namespace fraqat::data {
namespace {

/// floor(n r / 2^64) for 64 random bits r = 2^32 high + low: uniform in [0, n)
/// but for a bias of n / 2^64.
std::uint64_t scaled(std::uint32_t high, std::uint32_t low, std::uint64_t n) {
  return (high * n + ((low * n) >> 32)) >> 32;
}

}  // namespace

void shuffle(std::span<std::uint32_t> order, std::uint64_t seed, std::uint32_t epoch) {
  const Philox random(seed, Stream::shuffle);
  Philox::Block bits{};
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t left = order.size(), draw = 0; left > 1; --left, ++draw) {
    if (draw % 2 == 0) bits = random({epoch, 0, 0, static_cast<std::uint32_t>(draw / 2)});
    const std::size_t half = draw % 2 * 2;
    std::swap(order[left - 1], order[scaled(bits[half], bits[half + 1], left)]);
  }
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : dataset_(std::move(dataset)), options_(options) {
  const Index size = dataset_->size();
  check(size > 0 && size <= Index{std::numeric_limits<std::uint32_t>::max()},
        "[loader] bad size of the data set: got ", size, "; expected 1 to 4294967295 samples");
  check(options.batch >= 1, "[loader] bad batch: got ", options.batch, "; expected 1 or more");
  check(!options.drop_last || options.batch <= size, "[loader] no full batch: got ", size,
        " samples and batches of ", options.batch, "; expected a batch of at most ", size);
  order_.resize(static_cast<std::size_t>(size));
  if (options.prefetch) thread_ = std::thread([this] { work(); });
}

Loader::~Loader() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  room_.notify_one();
  thread_.join();
}

Index Loader::steps_per_epoch() const {
  const Index size = dataset_->size();
  return options_.drop_last ? size / options_.batch : (size - 1) / options_.batch + 1;
}

void Loader::start_epoch(std::uint32_t epoch, Index first_step) {
  const Index steps = steps_per_epoch();
  check(first_step >= 0 && first_step <= steps, "[loader] no such step in an epoch: got ",
        first_step, "; expected 0 to ", steps);
  std::unique_lock lock(mutex_);
  end_ = made_;  // nothing more of the old epoch
  news_.wait(lock, [this] { return !working_; });
  give_back();
  error_ = nullptr;
  epoch_ = epoch;
  if (options_.shuffle)
    shuffle(order_, options_.seed, epoch);
  else
    std::iota(order_.begin(), order_.end(), 0u);
  taken_ = made_ = first_step;
  end_ = steps;
  lock.unlock();
  room_.notify_one();
}

const Batch* Loader::next() {
  std::unique_lock lock(mutex_);
  give_back();
  if (taken_ == end_) return nullptr;
  if (options_.prefetch) {
    room_.notify_one();
    news_.wait(lock, [this] { return made_ > taken_ || error_; });
    if (made_ == taken_) std::rethrow_exception(error_);
  } else {
    prepare(taken_, place(taken_));
    made_ = taken_ + 1;
  }
  lent_ = true;
  return &place(taken_);
}

/// Takes back the batch that the user holds.  Whether its tensors may be written
/// again is asked here, on the user's thread, where their copies come and go.
void Loader::give_back() {
  if (!lent_) return;
  Batch& batch = place(taken_);
  if (!batch.images.unique()) batch.images = Tensor(batch.images.shape());
  if (!batch.labels.unique()) batch.labels = Tensor(batch.labels.shape());
  ++taken_;
  lent_ = false;
}

void Loader::prepare(Index step, Batch& batch) const {
  const Shape& sample = dataset_->sample();
  const Index first = step * options_.batch;
  const Index count = std::min(options_.batch, dataset_->size() - first);
  const Shape shape{count, sample[0], sample[1], sample[2]};
  if (batch.images.shape() != shape) {
    batch.images = Tensor(shape);
    batch.labels = Tensor({count});
  }
  batch.epoch = epoch_;
  batch.step = step;
  const auto length = static_cast<std::size_t>(sample.size());
  for (Index n = 0; n < count; ++n) {
    const Index i = order_[static_cast<std::size_t>(first + n)];
    const std::span room =
        batch.images.span().subspan(static_cast<std::size_t>(n) * length, length);
    dataset_->get(i, room, epoch_);
    batch.labels[n] = static_cast<float>(dataset_->label(i));
  }
}

/// The prefetch thread: prepares batches as long as there is room in the ring.
void Loader::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    room_.wait(lock, [this] {
      return closing_ || (!error_ && made_ < end_ && made_ - taken_ < ring_size);
    });
    if (closing_) return;
    working_ = true;
    const Index step = made_;
    std::exception_ptr error;
    lock.unlock();
    try {
      prepare(step, place(step));
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    working_ = false;
    error_ = error;
    if (!error) ++made_;
    news_.notify_one();
  }
}

}  // namespace fraqat::data
