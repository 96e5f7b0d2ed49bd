#include "data/registry.hpp"

#include <array>
#include <cstdlib>
#include <optional>

#include "core/text.hpp"
#include "data/idx.hpp"
#include "data/synthetic.hpp"

namespace fraqat::data {
namespace {

namespace fs = std::filesystem;

/// Names in a set's folder, the same for every set in the format of MNIST.
constexpr std::array<const char*, 4> stems = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                              "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

struct KnownSet {
  SetInfo info;
  std::array<std::string_view, 4> sha256 = {};  // of the unpacked files; none: the set is made
};

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
       {"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}},
      {{"mnist",
        "MNIST: 28x28 grey images of handwritten digits (LeCun, Cortes, Burges)",
        {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
        Shape{28, 28, 1},
        60000,
        10000,
        {{0.1307}, {0.3081}},
        "put the four published files (train-images-idx3-ubyte.gz, ...) into the folder mnist of a "
        "directory of your own and set FRAQAT_DATA to that directory"},
       {"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
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

const KnownSet& known(std::string_view name) {
  std::string all;
  for (const KnownSet& set : known_sets()) {
    if (set.info.name == name) return set;
    all += (all.empty() ? "" : ", ") + set.info.name;
  }
  fail(Error::Kind::usage, "[data] no such data set: got ", in_quotes(name), "; expected one of ",
       all);
}

bool is_made(const KnownSet& set) { return set.sha256[0].empty(); }

/// Bytes of unpacked file `k`: 16 or 8 of header, then the pixels or labels.
std::uint64_t unpacked_bytes(const SetInfo& info, std::size_t k) {
  const Index samples = k < 2 ? info.train_size : info.test_size;
  return static_cast<std::uint64_t>(k % 2 == 0 ? 16 + samples * info.sample.size() : 8 + samples);
}

/// Path of file `stem` in `folder`, raw or packed; nothing if it is not there.
std::optional<fs::path> file_in(const fs::path& folder, const std::string& stem) {
  for (const char* ending : {"", ".gz"}) {
    std::error_code ignored;
    if (fs::path path = folder / (stem + ending); fs::exists(path, ignored)) return path;
  }
  return std::nullopt;
}

/// Looks into one folder; `location` is complete if all files are there, else
/// its reason grows.
void look_into(const fs::path& folder, Location& location) {
  std::vector<FileStatus> files;
  std::string missing;
  for (const char* stem : stems) {
    std::error_code ignored;
    if (const auto path = file_in(folder, stem)) {
      const std::uintmax_t bytes =
          fs::is_regular_file(*path, ignored) ? fs::file_size(*path, ignored) : 0;
      files.push_back({path->string(), bytes, FileStatus::Check::none, {}});
    } else {
      missing += (missing.empty() ? "" : ", ") + std::string(stem);
    }
  }
  location.found = missing.empty();
  if (location.found) {
    location.directory = folder.string();
    location.files = std::move(files);
    location.reason.clear();
    return;
  }
  location.reason += (location.reason.empty() ? "" : "; ") + in_quotes(folder.string()) +
                     (files.empty() ? " (nothing there)" : " (lacks " + missing + ")");
}

/// Reads file `k` and wants the published one.
IdxArray read_published(const KnownSet& set, std::size_t k, const std::string& path) {
  IdxArray array = read_idx(path, k % 2 == 0 ? 3 : 1, unpacked_bytes(set.info, k));
  check_input(array.sha256 == set.sha256[k], "[data] ", in_quotes(path),
              ": not the published file of ", set.info.name, ": got SHA-256 ", array.sha256,
              " of the unpacked data; expected ", set.sha256[k],
              "; try a fresh copy: ", set.info.how_to_get);
  return array;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const KnownSet& set : known_sets()) all.push_back(set.info.name);
  return all;
}

const SetInfo& info(std::string_view name) { return known(name).info; }

std::vector<fs::path> search_path(const fs::path& data_dir) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  std::vector<fs::path> path;
  if (!data_dir.empty()) path.push_back(data_dir);
  if (fs::path own = variable("FRAQAT_DATA"); !own.empty()) path.push_back(own);
  if (const fs::path cache = variable("XDG_CACHE_HOME"); !cache.empty())
    path.push_back(cache / "fraqat");
  else if (const fs::path home = variable("HOME"); !home.empty())
    path.push_back(home / ".cache" / "fraqat");
  path.emplace_back("/usr/share/datasets");
  return path;
}

Location find(std::string_view name, const fs::path& data_dir) {
  const KnownSet& set = known(name);
  Location location{set.info.name, false, {}, {}, {}, set.info.how_to_get};
  if (is_made(set)) {
    location.found = true;
    return location;
  }
  for (const fs::path& place : search_path(data_dir)) {
    look_into(place / set.info.name, location);
    if (location.found) break;
  }
  return location;
}

std::vector<Location> list(const fs::path& data_dir) {
  std::vector<Location> all;
  for (const std::string& name : names()) all.push_back(find(name, data_dir));
  return all;
}

Location verify(std::string_view name, const fs::path& data_dir) {
  Location location = find(name, data_dir);
  for (std::size_t k = 0; k < location.files.size(); ++k) {
    FileStatus& file = location.files[k];
    try {
      read_published(known(name), k, file.path);
      file.check = FileStatus::Check::good;
    } catch (const Error& error) {
      file.check = FileStatus::Check::bad;
      file.reason = error.what();
    }
  }
  return location;
}

std::shared_ptr<const Dataset> open_bytes(std::string_view name, Split split,
                                          const fs::path& data_dir) {
  const KnownSet& set = known(name);
  const bool train = split == Split::train;
  if (is_made(set))
    return synthetic_bars(train ? 0 : 1, train ? set.info.train_size : set.info.test_size);
  const Location location = find(name, data_dir);
  check(location.found, "[data] ", name, " is not found: looked in ", location.reason,
        "; try: ", location.how_to_get);
  const std::size_t k = train ? 0 : 2;
  const std::string& images = location.files[k].path;
  const std::string& labels = location.files[k + 1].path;
  IdxArray label_array = read_published(set, k + 1, labels);
  return match_idx(read_published(set, k, images), images, std::move(label_array), labels,
                   set.info.class_names);
}

std::shared_ptr<const Dataset> open(std::string_view name, Split split, const fs::path& data_dir,
                                    Index limit) {
  check(limit >= 0, "[data] bad limit: got ", limit, " samples; expected 0 (all) or more");
  std::shared_ptr<const Dataset> set = open_bytes(name, split, data_dir);
  if (limit > 0) set = std::make_shared<FirstSamples>(std::move(set), limit);
  return std::make_shared<Normalized>(std::move(set), info(name).normalization);
}

}  // namespace fraqat::data
