#include "data/registry.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>

#include "data/loader.hpp"
#include "tests/support/idx_file.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::registry_test {

using namespace fraqat::data;

namespace {

/// An environment variable with another value (or none) as long as this lives.
class Environment {
 public:
  Environment(const char* name, const std::optional<std::string>& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Environment() { set(before_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const std::optional<std::string>& value) {
    if (value)
      ::setenv(name_, value->c_str(), 1);
    else
      ::unsetenv(name_);
  }

  const char* name_;
  std::optional<std::string> before_;
};

void put_set(const std::string& folder, const std::string& ending = "") {
  std::filesystem::create_directories(folder);
  for (const char* part : {"train", "t10k"}) {
    write_file_atomically(folder + "/" + part + "-images-idx3-ubyte" + ending, "images");
    write_file_atomically(folder + "/" + part + "-labels-idx1-ubyte", "labels");
  }
}

}  // namespace

TEST_CASE("registry: the search path") {
  {
    const Environment data("FRAQAT_DATA", "/of/user"), cache("XDG_CACHE_HOME", "/cache");
    CHECK(search_path("/given") == std::vector<std::filesystem::path>{"/given", "/of/user",
                                                                      "/cache/fraqat",
                                                                      "/usr/share/datasets"});
  }
  const Environment data("FRAQAT_DATA", ""), cache("XDG_CACHE_HOME", {}), home("HOME", "/me");
  CHECK(search_path() ==
        std::vector<std::filesystem::path>{"/me/.cache/fraqat", "/usr/share/datasets"});
}

TEST_CASE("registry: the first place with all four files wins") {
  const test::TemporaryDirectory given, own, cache;
  const Environment data("FRAQAT_DATA", own.path()), xdg("XDG_CACHE_HOME", cache.path());
  Location location = find("mnist", given.path());
  if (!location.found) {  // else the distribution has it
    CHECK(location.reason.find("\"" + given.path() + "/mnist\" (nothing there)") !=
          std::string::npos);
    CHECK(location.reason.find(cache.path() + "/fraqat/mnist") != std::string::npos);
    CHECK(location.how_to_get.find("FRAQAT_DATA") != std::string::npos);
  }
  put_set(cache / "fraqat/mnist", ".gz");
  CHECK(find("mnist", given.path()).directory == cache / "fraqat/mnist");
  put_set(own / "mnist");
  CHECK(find("mnist", given.path()).directory == own / "mnist");
  put_set(given / "mnist");
  location = find("mnist", given.path());
  CHECK(location.directory == given / "mnist");
  REQUIRE(location.files.size() == 4);
  CHECK(location.files[0].path == given / "mnist/train-images-idx3-ubyte");
  CHECK(location.files[3].path == given / "mnist/t10k-labels-idx1-ubyte");
  CHECK(location.files[3].bytes == 6);
  CHECK(find("mnist").directory == own / "mnist");

  std::filesystem::remove(given / "mnist/t10k-labels-idx1-ubyte");
  CHECK(find("mnist", given.path()).directory == own / "mnist");
}

TEST_CASE("registry: what is missing is said by name") {
  const test::TemporaryDirectory empty, partial;
  const Environment data("FRAQAT_DATA", empty.path()), xdg("XDG_CACHE_HOME", empty.path());
  put_set(partial / "mnist");
  std::filesystem::remove(partial / "mnist/t10k-labels-idx1-ubyte");
  const Location location = find("mnist", partial.path());
  if (location.found) return;  // the distribution has it
  CHECK(location.reason.find("(lacks t10k-labels-idx1-ubyte)") != std::string::npos);
  CHECK_THROWS_WITH_AS(open("mnist", Split::train, partial.path()),
                       doctest::Contains("; expected all its files in one of these folders; try: "
                                         "put the four published files"),
                       Error);
}

TEST_CASE("registry: files that are not the published ones are reported, not used") {
  const test::TemporaryDirectory folder;
  put_set(folder / "fashion-mnist");
  const Location location = verify("fashion-mnist", folder.path());
  REQUIRE(location.files.size() == 4);
  for (const FileStatus& file : location.files) {
    CHECK(file.check == FileStatus::Check::bad);
    CHECK(file.reason.find("no IDX file") != std::string::npos);
  }
  write_file_atomically(folder / "fashion-mnist/t10k-labels-idx1-ubyte",
                        test::idx_file({10000}, std::string(10000, '\1')));
  CHECK_THROWS_WITH_AS(open("fashion-mnist", Split::test, folder.path()),
                       doctest::Contains("not the published file of fashion-mnist"), Error);
}

TEST_CASE("registry: cifar10, of six files, one of them packed by xz or damaged") {
  const test::TemporaryDirectory given, none;
  const Environment data("FRAQAT_DATA", {}), xdg("XDG_CACHE_HOME", none.path());
  const std::string folder = given / "cifar10/";
  std::filesystem::create_directories(folder);
  for (const char* part : {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4"})
    write_file_atomically(folder + part + ".bin", "short");
  write_file_atomically(folder + "data_batch_5.bin.gz", test::gzip_file("short"));
  write_file_atomically(folder + "test_batch.bin.xz", "packed");
  Location location = find("cifar10", given.path());
  if (location.found) return;  // the distribution has it
  CHECK(location.reason.find("(lacks test_batch.bin; unpack the .xz files first)") !=
        std::string::npos);

  write_file_atomically(folder + "test_batch.bin", std::string(30730000, '\1'));
  location = verify("cifar10", given.path());
  CHECK(location.directory == given / "cifar10");
  REQUIRE(location.files.size() == 6);
  CHECK(location.files[0].path == folder + "data_batch_1.bin");
  CHECK(location.files[4].path == folder + "data_batch_5.bin.gz");
  CHECK(location.files[0].reason.find("truncated: got 5 bytes") != std::string::npos);
  CHECK(location.files[5].reason.find("not the published file of cifar10") != std::string::npos);
  CHECK_THROWS_WITH_AS(open("cifar10", Split::train, given.path()),
                       doctest::Contains("data_batch_1.bin"), Error);
  CHECK_THROWS_WITH_AS(open("cifar10", Split::test, given.path()),
                       doctest::Contains("not the published file"), Error);
}

TEST_CASE("registry: names") {
  CHECK(names() == std::vector<std::string>{"fashion-mnist", "mnist", "cifar10", "synthetic"});
  for (const std::string& name : names()) {
    CHECK(info(name).class_names.size() == 10);
    CHECK(info(name).sample == (name == "cifar10" ? Shape{32, 32, 3} : Shape{28, 28, 1}));
  }
  CHECK(list().size() == names().size());
  CHECK_THROWS_WITH_AS(info("imagenet"),
                       "[data] no such data set: got \"imagenet\"; expected one of fashion-mnist, "
                       "mnist, cifar10, synthetic",
                       Error);
}

TEST_CASE("registry: the synthetic set is made, normalised") {
  const Location location = verify("synthetic");
  CHECK(location.found);
  CHECK(location.files.empty());
  const auto set = open("synthetic", Split::train);
  CHECK(set->size() == 4000);
  CHECK(open("synthetic", Split::test)->size() == 1000);
  CHECK(open("synthetic", Split::test, {}, 30)->size() == 30);
  CHECK(open("synthetic", Split::test)->hash() != set->hash());
  CHECK_THROWS_AS(open("synthetic", Split::test, {}, -1), Error);
  double sum = 0, squares = 0;
  std::vector<float> pixels(784);
  for (Index i = 0; i < set->size(); ++i) {
    set->get(i, pixels);
    for (const float x : pixels) sum += double{x}, squares += double{x} * double{x};
  }
  const double count = 784 * 4000;
  CHECK(std::abs(sum / count) < 1e-3);
  CHECK(squares / count == doctest::Approx(1).epsilon(1e-3));
}

}  // namespace fraqat::registry_test
