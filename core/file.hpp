#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Files, with the system call's errors in the text and nothing lost on the
/// way.  Paths are bytes.  Reading errors are Error{input}, writing errors
/// Error{failed}.
namespace fraqat {

/// All of the regular file `path`.  Refuses, before it allocates anything, what
/// is no regular file (a FIFO, a device, a directory, a loop of links) and what
/// is larger than `max_bytes`; afterwards a file that changed while it was read.
std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes);

/// The same, as text.
std::string read_text_file(const std::string& path, std::uint64_t max_bytes);

/// Makes `path` a file of `bytes`, or leaves what was there: a temporary file in
/// the same directory is written, flushed to the disk, read back, compared, and
/// only then renamed.  On any failure the temporary file is removed.  Keeps the
/// permissions of the file it replaces; replaces a symbolic link, not its
/// target.  A program that wants an error where RLIMIT_FSIZE is exceeded, not
/// its own end, ignores SIGXFSZ.
void write_file_atomically(const std::string& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::string& path, std::string_view text);

/// Makes its holder the only one in a directory, among all programs and objects
/// that ask for this lock.  The system gives it back with the end of the object or
/// of the program, a killed one, too; nothing is left in the directory.  A file
/// system without locks grants it to everybody.
class DirectoryLock {
 public:
  /// An Error if somebody else holds the lock.
  explicit DirectoryLock(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  /// Whether somebody holds the lock of `directory` now; nobody does where there is none.
  static bool is_held(const std::string& directory);

 private:
  int file_;
};

/// Removes from `directory` what a killed write_file_atomically left there.
/// Only for who holds the directory's lock.
void remove_temporaries(const std::string& directory);

/// Appends `line` and a line feed, in one write where the system allows.
void append_line(const std::string& path, std::string_view line);

/// Makes `path` and every directory above it that is missing.
void make_directories(const std::string& path);

/// SHA-256 as 64 hexadecimal digits, CRC-32 as in PNG and gzip.
std::string sha256(std::span<const std::byte> bytes);
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace fraqat
