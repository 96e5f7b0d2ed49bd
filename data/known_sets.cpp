#include "data/known_sets.hpp"

#include "data/synthetic.hpp"

namespace fraqat::data {
namespace {

/// The files of a set in the format of MNIST, by their hashes.
std::vector<KnownFile> idx_files(const char* train_images, const char* train_labels,
                                 const char* test_images, const char* test_labels) {
  return {{"train-images-idx3-ubyte", train_images},
          {"train-labels-idx1-ubyte", train_labels},
          {"t10k-images-idx3-ubyte", test_images},
          {"t10k-labels-idx1-ubyte", test_labels}};
}

/// The means and deviations are those of ImageNet, because networks that one
/// starts from were trained so; CIFAR-10's own are 0.491, 0.482, 0.447 and 0.247,
/// 0.243, 0.262.
KnownSet cifar10() {
  return {
      {"cifar10",
       "CIFAR-10: 32x32 colour images of animals and vehicles (Krizhevsky)",
       {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
       Shape{32, 32, 3},
       50000,
       10000,
       {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
       "put the six *.bin files of cifar-10-binary.tar.gz "
       "(https://www.cs.toronto.edu/~kriz/cifar.html) into the folder cifar10 of a directory of "
       "your own and set FRAQAT_DATA to that directory"},
      Format::cifar,
      {{"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
       {"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
       {"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
       {"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
       {"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
       {"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}},
      5};
}

}  // namespace

const std::vector<KnownSet>& known_sets() {
  static const std::vector<KnownSet> sets = {
      {{"fashion-mnist",
        "Fashion-MNIST: 28x28 grey images of clothes (Zalando Research, MIT)",
        {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
         "Ankle boot"},
        Shape{28, 28, 1},
        60000,
        10000,
        {{0.2860}, {0.3530}},
        "apt-get install dataset-fashion-mnist"},
       Format::idx,
       idx_files("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                 "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                 "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                 "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
       2},
      {{"mnist",
        "MNIST: 28x28 grey images of handwritten digits (LeCun, Cortes, Burges)",
        {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
        Shape{28, 28, 1},
        60000,
        10000,
        {{0.1307}, {0.3081}},
        "put the four published files (train-images-idx3-ubyte.gz, ...) into the folder mnist of a "
        "directory of your own and set FRAQAT_DATA to that directory"},
       Format::idx,
       idx_files("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                 "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                 "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                 "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
       2},
      cifar10(),
      {{"synthetic",
        "Bars in ten directions under noise, 28x28 grey, made on the spot",
        synthetic_bars(0, 1)->class_names(),
        Shape{28, 28, 1},
        4000,
        1000,
        {{0.1682}, {0.1868}},
        "nothing to do: it is made on the spot"}}};
  return sets;
}

}  // namespace fraqat::data
