#pragma once

#include <string>
#include <vector>

#include "data/registry.hpp"

/// The table behind the registry: every data set that is known by name.
namespace fraqat::data {

enum class Format { made, idx, cifar };

/// A file of a set: its name without ".gz", and what it must hold.
struct KnownFile {
  std::string name, sha256;  // of the unpacked file
};

/// A set: what is said about it, and where its samples come from.
struct KnownSet {
  SetInfo info;
  Format format = Format::made;
  std::vector<KnownFile> files = {};  // those of the training split first
  std::size_t train_files = 0;

  std::size_t first_file(Split split) const { return split == Split::train ? 0 : train_files; }
  std::size_t last_file(Split split) const {
    return split == Split::train ? train_files : files.size();
  }
};

const std::vector<KnownSet>& known_sets();

}  // namespace fraqat::data
