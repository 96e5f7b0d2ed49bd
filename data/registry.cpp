#include "data/registry.hpp"

#include <cstdlib>
#include <optional>

#include "core/file.hpp"
#include "core/text.hpp"
#include "data/cifar.hpp"
#include "data/idx.hpp"
#include "data/known_sets.hpp"
#include "data/synthetic.hpp"

namespace fraqat::data {
namespace {

namespace fs = std::filesystem;

const KnownSet& known(std::string_view name) {
  std::string all;
  for (const KnownSet& set : known_sets()) {
    if (set.info.name == name) return set;
    all += (all.empty() ? "" : ", ") + set.info.name;
  }
  fail(Error::Kind::usage, "[data] no such data set: got ", in_quotes(name), "; expected one of ",
       all);
}

bool is_made(const KnownSet& set) { return set.format == Format::made; }

/// Path of file `name` in `folder`, raw or packed; nothing if it is not there.
std::optional<fs::path> file_in(const fs::path& folder, const std::string& name) {
  for (const char* ending : {"", ".gz"}) {
    std::error_code ignored;
    if (fs::path path = folder / (name + ending); fs::exists(path, ignored)) return path;
  }
  return std::nullopt;
}

/// Looks into one folder; `location` is complete if all files are there, else
/// its reason grows.
void look_into(const fs::path& folder, const KnownSet& set, Location& location) {
  std::vector<FileStatus> files;
  std::string missing;
  bool xz = false;
  for (const KnownFile& known_file : set.files) {
    std::error_code ignored;
    if (const auto path = file_in(folder, known_file.name)) {
      const std::uintmax_t bytes =
          fs::is_regular_file(*path, ignored) ? fs::file_size(*path, ignored) : 0;
      files.push_back({path->string(), bytes, FileStatus::Check::none, {}});
      continue;
    }
    missing += (missing.empty() ? "" : ", ") + known_file.name;
    xz = xz || fs::exists(folder / (known_file.name + ".xz"), ignored);
  }
  location.found = missing.empty();
  if (location.found) {
    location.directory = folder.string();
    location.files = std::move(files);
    location.reason.clear();
    return;
  }
  std::error_code ignored;
  location.reason += (location.reason.empty() ? "" : "; ") + in_quotes(folder.string()) +
                     (fs::is_directory(folder, ignored)
                          ? " (lacks " + missing + (xz ? "; unpack the .xz files first)" : ")")
                          : " (nothing there)");
}

void check_published(const KnownSet& set, std::size_t k, const std::string& path,
                     const std::string& sha256) {
  check_input(sha256 == set.files[k].sha256, "[data] ", in_quotes(path),
              ": not the published file of ", set.info.name, ": got SHA-256 ", sha256,
              " of the unpacked data; expected ", set.files[k].sha256,
              "; try a fresh copy: ", set.info.how_to_get);
}

/// Reads file `k`, images and labels in turn, and wants the published one.
IdxArray read_idx_file(const KnownSet& set, std::size_t k, const std::string& path) {
  const bool images = k % 2 == 0;
  const Index samples = k < set.train_files ? set.info.train_size : set.info.test_size;
  const Index most_bytes = images ? 16 + samples * set.info.sample.size() : 8 + samples;
  IdxArray array = read_idx(path, images ? 3 : 1, static_cast<std::uint64_t>(most_bytes));
  check_published(set, k, path, array.sha256);
  return array;
}

CifarRecords read_cifar_file(const KnownSet& set, std::size_t k, const std::string& path) {
  const Index each = set.info.train_size / static_cast<Index>(set.train_files);
  CifarRecords records = read_cifar(path, each, static_cast<Index>(set.info.class_names.size()));
  check_published(set, k, path, records.sha256);
  return records;
}

/// All files of a split, one after the other.
std::shared_ptr<const Dataset> open_cifar(const KnownSet& set, Split split,
                                          const Location& location) {
  const Index samples = split == Split::train ? set.info.train_size : set.info.test_size;
  std::vector<std::uint8_t> pixels, labels;
  pixels.reserve(static_cast<std::size_t>(samples * set.info.sample.size()));
  std::string hashes;
  for (std::size_t k = set.first_file(split); k < set.last_file(split); ++k) {
    const CifarRecords records = read_cifar_file(set, k, location.files[k].path);
    pixels.insert(pixels.end(), records.pixels.begin(), records.pixels.end());
    labels.insert(labels.end(), records.labels.begin(), records.labels.end());
    hashes += records.sha256;
  }
  return std::make_shared<ByteImages>(set.info.sample, std::move(pixels), std::move(labels),
                                      set.info.class_names,
                                      sha256(std::as_bytes(std::span(hashes))));
}

std::shared_ptr<const Dataset> open_idx(const KnownSet& set, Split split,
                                        const Location& location) {
  const std::size_t k = set.first_file(split);
  const std::string& images = location.files[k].path;
  const std::string& labels = location.files[k + 1].path;
  IdxArray label_array = read_idx_file(set, k + 1, labels);
  return match_idx(read_idx_file(set, k, images), images, std::move(label_array), labels,
                   set.info.class_names);
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
    look_into(place / set.info.name, set, location);
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
  const KnownSet& set = known(name);
  Location location = find(name, data_dir);
  for (std::size_t k = 0; k < location.files.size(); ++k) {
    FileStatus& file = location.files[k];
    try {
      if (set.format == Format::cifar)
        read_cifar_file(set, k, file.path);
      else
        read_idx_file(set, k, file.path);
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
  check_input(location.found, "[data] ", name, " is not found: got ", location.reason,
              "; expected all its files in one of these folders; try: ", location.how_to_get);
  return set.format == Format::cifar ? open_cifar(set, split, location)
                                     : open_idx(set, split, location);
}

std::shared_ptr<const Dataset> open(std::string_view name, Split split, const fs::path& data_dir,
                                    Index limit) {
  check(limit >= 0, "[data] bad limit: got ", limit, " samples; expected 0 (all) or more");
  std::shared_ptr<const Dataset> set = open_bytes(name, split, data_dir);
  if (limit > 0) set = std::make_shared<FirstSamples>(std::move(set), limit);
  return std::make_shared<Normalized>(std::move(set), info(name).normalization);
}

}  // namespace fraqat::data
