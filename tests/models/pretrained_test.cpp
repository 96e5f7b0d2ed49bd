#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "data/loader.hpp"
#include "data/registry.hpp"
#include "models/models.hpp"
#include "models/weights.hpp"
#include "tests/support/npy.hpp"
#include "tests/support/skipped.hpp"

namespace fraqat::pretrained_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* file_name = "resnet20_cifar10.safetensors";

/// Where data sets are looked for, or in a folder "weights" there; empty if nowhere.
fs::path find_weights() {
  for (const fs::path& place : data::search_path())
    for (const fs::path& file : {place / file_name, place / "weights" / file_name})
      if (fs::exists(file)) return file;
  return {};
}

/// Images that differ from PyTorch, and right ones, so far.
struct Count {
  Index right = 0, different = 0;
};

/// How far the highest logit is above that of `other`.
Real margin(std::span<const Real> logits, Index other) {
  return *std::max_element(logits.begin(), logits.end()) - logits[static_cast<std::size_t>(other)];
}

void compare(std::span<const Real> logits, Index image, Index label, Index pytorch, Count& count) {
  const Index seen = std::max_element(logits.begin(), logits.end()) - logits.begin();
  count.right += seen == label;
  if (seen == pytorch) return;
  ++count.different;
  std::cout << "image " << image << " of class " << label << ": got " << seen << "; PyTorch "
            << pytorch << ", lower by " << margin(logits, pytorch) << "\n";
  CHECK(margin(logits, pytorch) < Real(1e-4));  // no more than sums in another order do
}

}  // namespace

TEST_CASE("pretrained: ResNet-20 sees on CIFAR-10 what it sees in PyTorch") {
  const fs::path weights = find_weights();
  if (weights.empty() || !data::find("cifar10").found)
    return test::skipped("pretrained ResNet-20",
                         "needs cifar10 and " + std::string(file_name) + " in $FRAQAT_DATA");
  const auto model = models::make("resnet20", {32, 32, 3}, 10, 1);
  models::load_pytorch(*model, {32, 32, 3}, weights.string());
  const Tensor pytorch = test::golden("pretrained/classes");
  data::Loader loader(data::open("cifar10", data::Split::test), {.batch = 250, .shuffle = false});
  Count count;
  Index image = 0;
  for (const data::Batch& batch : loader.epoch(0)) {
    const Tensor logits = (*model)(Var(batch.images)).value();
    for (Index n = 0; n < batch.labels.size(); ++n, ++image)
      compare(logits.span().subspan(static_cast<std::size_t>(10 * n), 10), image,
              static_cast<Index>(batch.labels[n]), static_cast<Index>(pytorch[image]), count);
  }
  CHECK(image == 10000);
  CHECK(count.different <= 2);
  CHECK((count.right >= 9171 && count.right <= 9175));  // PyTorch: 9173
}

}  // namespace fraqat::pretrained_test
