#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.hpp"

namespace fraqat::data {

enum class Split { train, test };

/// What is known of a data set before its files are found.
struct SetInfo {
  std::string name, title;
  std::vector<std::string> class_names;
  Shape sample;                 // [H, W, C]
  Index train_size, test_size;  // samples
  Normalization normalization;  // about the mean and deviation of the training pixels
  std::string how_to_get;
};

/// "fashion-mnist", "mnist", "cifar10", "synthetic".
std::vector<std::string> names();

/// An unknown name is an Error that lists names().
const SetInfo& info(std::string_view name);

struct FileStatus {
  enum class Check { none, good, bad };  // against the published SHA-256

  std::string path;
  std::uintmax_t bytes = 0;  // on the disk
  Check check = Check::none;
  std::string reason;  // why it is bad
};

/// Where a data set is, or why it is nowhere.
struct Location {
  std::string name;
  bool found = false;
  std::string directory;          // empty for a set that is made, not found
  std::vector<FileStatus> files;  // those of the training split first
  std::string reason;             // where it was looked for, and what is missing there
  std::string how_to_get;
};

/// Where sets are looked for, the first place first: `data_dir` (unless empty),
/// $FRAQAT_DATA, $XDG_CACHE_HOME/fraqat (~/.cache/fraqat), /usr/share/datasets.
/// The files of a set are in the folder of its name.
std::vector<std::filesystem::path> search_path(const std::filesystem::path& data_dir = {});

/// The first place that has all files, each raw or with ".gz".
Location find(std::string_view name, const std::filesystem::path& data_dir = {});

/// find() for every name.
std::vector<Location> list(const std::filesystem::path& data_dir = {});

/// find(), then reads every file and compares it with the published one.
Location verify(std::string_view name, const std::filesystem::path& data_dir = {});

/// The samples as bytes.  A file that is not the published one is an Error: a
/// network trained on silently damaged images gives no sign of it.
std::shared_ptr<const Dataset> open_bytes(std::string_view name, Split split,
                                          const std::filesystem::path& data_dir = {});

/// The samples normalised by info(name).normalization; the first `limit` of
/// them, if that is not 0.
std::shared_ptr<const Dataset> open(std::string_view name, Split split,
                                    const std::filesystem::path& data_dir = {}, Index limit = 0);

}  // namespace fraqat::data
