#include "core/file.hpp"

#include <fcntl.h>
#include <sha2.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fraqat {
namespace {

constexpr std::size_t longest_path = 4096;
constexpr std::string_view temporary_prefix = ".fraqat-tmp-";

std::string named(const std::string& path) { return in_quotes(path, longest_path); }

std::string reason(int error) { return std::generic_category().message(error); }

/// Calls f() again while a signal interrupts it.
template <class F>
auto uninterrupted(F f) {
  auto result = f();
  while (result < 0 && errno == EINTR) result = f();
  return result;
}

[[noreturn]] void fail_writing(const std::string& path, std::string_view what, int error) {
  fail(Error::Kind::failed, "[file] cannot ", what, " ", named(path), ": got ", reason(error),
       "; expected it to be written whole");
}

/// An open file descriptor.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, mode_t mode = 0)
      : number_(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); })) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int operator*() const { return number_; }
  bool is_open() const { return number_ >= 0; }

  /// The late errors of a write may only show here; EINTR has closed it too.
  bool close() {
    const int result = ::close(std::exchange(number_, -1));
    return result == 0 || errno == EINTR;
  }

 private:
  int number_;
};

/// Reads until `bytes` is full or the file ends; the number read, or -1.
std::ptrdiff_t read_all(int file, std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n =
        uninterrupted([&] { return ::read(file, bytes.data() + done, bytes.size() - done); });
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<std::ptrdiff_t>(done);
}

bool write_all(int file, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n =
        uninterrupted([&] { return ::write(file, bytes.data() + done, bytes.size() - done); });
    if (n == 0) errno = ENOSPC;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

/// Whether the file, read from its beginning, holds exactly `bytes`; errno is 0
/// where it could be read and differs.
bool reads_back(int file, std::span<const std::byte> bytes) {
  if (::lseek(file, 0, SEEK_SET) < 0) return false;
  std::vector<std::byte> block(std::min<std::size_t>(bytes.size() + 1, 1 << 18));
  for (std::size_t done = 0;; done += block.size()) {
    const auto n = read_all(file, block);
    if (n < 0) return false;
    const auto rest = bytes.subspan(done, std::min(block.size(), bytes.size() - done));
    errno = 0;
    if (static_cast<std::size_t>(n) != rest.size() ||
        !std::equal(rest.begin(), rest.end(), block.begin()))
      return false;
    if (rest.size() < block.size()) return true;
  }
}

bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

template <class Container>
Container read_into(const std::string& path, std::uint64_t max_bytes) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const Descriptor file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  check_input(file.is_open(), "[file] cannot open ", named(path), ": got ", reason(errno),
              "; expected a readable file");
  struct stat before {};
  check_input(::fstat(*file, &before) == 0, "[file] cannot examine ", named(path), ": got ",
              reason(errno), "; expected a readable file");
  check_input(S_ISREG(before.st_mode), "[file] cannot read ", named(path),
              ": got a directory, a pipe or a device; expected a regular file");
  const auto size = static_cast<std::uint64_t>(before.st_size);
  check_input(size <= max_bytes, "[file] ", named(path), " is too large: got ", size,
              " bytes; expected at most ", max_bytes);

  Container content(static_cast<std::size_t>(size), typename Container::value_type{});
  const auto n = read_all(*file, std::as_writable_bytes(std::span(content)));
  check_input(n >= 0, "[file] cannot read ", named(path), ": got ", reason(errno),
              "; expected a readable file");
  std::byte beyond{};
  struct stat after {};
  const bool unchanged = static_cast<std::uint64_t>(n) == size &&
                         read_all(*file, {&beyond, 1}) == 0 && ::fstat(*file, &after) == 0 &&
                         same_version(before, after);
  check_input(unchanged, "[file] ", named(path), " changed while it was read: got ", n,
              " bytes; expected the ", size, " it had when it was opened");
  return content;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_beside(const std::string& path) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof(random), 0) != sizeof(random))
    fail_writing(path, "name a temporary file for", errno);
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "%ld-%016llx", static_cast<long>(::getpid()),
                static_cast<unsigned long long>(random));
  return directory_of(path) + '/' + std::string(temporary_prefix) + name.data();
}

/// The permissions of the regular file `path`, if there is one; refuses a directory or a
/// device, which a rename would fail on or destroy.
std::optional<mode_t> mode_to_keep(const std::string& path) {
  struct stat old {};
  if (::lstat(path.c_str(), &old) != 0 || S_ISLNK(old.st_mode)) return {};
  check(S_ISREG(old.st_mode), "[file] cannot replace ", named(path),
        ": got a directory, a pipe or a device; expected a regular file or nothing");
  return old.st_mode & 0777;
}

void flush_directory(const Descriptor& directory, const std::string& path) {
  // EINVAL: this file system has no such thing as flushing a directory.
  const auto flush = [&] { return ::fsync(*directory); };
  if (uninterrupted(flush) != 0 && errno != EINVAL)
    fail_writing(path, "flush the directory of", errno);
}

void write_and_verify(Descriptor& file, const std::string& path, std::optional<mode_t> mode,
                      std::span<const std::byte> bytes) {
  if (mode && ::fchmod(*file, *mode) != 0) fail_writing(path, "set the permissions of", errno);
  if (!write_all(*file, bytes)) fail_writing(path, "write", errno);
  if (uninterrupted([&] { return ::fsync(*file); }) != 0) fail_writing(path, "flush", errno);
  if (!reads_back(*file, bytes)) fail_writing(path, "read back", errno ? errno : EIO);
  if (!file.close()) fail_writing(path, "close", errno);
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes) {
  return read_into<std::vector<std::byte>>(path, max_bytes);
}

std::string read_text_file(const std::string& path, std::uint64_t max_bytes) {
  return read_into<std::string>(path, max_bytes);
}

void write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
  const std::optional<mode_t> mode = mode_to_keep(path);
  const Descriptor directory(directory_of(path), O_RDONLY | O_DIRECTORY);
  if (!directory.is_open()) fail_writing(path, "open the directory of", errno);
  const std::string temporary = temporary_beside(path);
  Descriptor file(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  if (!file.is_open()) fail_writing(path, "create a temporary file for", errno);
  try {
    write_and_verify(file, path, mode, bytes);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) fail_writing(path, "rename to", errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  flush_directory(directory, path);
}

void write_file_atomically(const std::string& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

DirectoryLock::DirectoryLock(const std::string& directory)
    : file_(uninterrupted(
          [&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })) {
  check(file_ >= 0, "[file] cannot open ", named(directory), ": got ", reason(errno),
        "; expected a directory");
  if (uninterrupted([&] { return ::flock(file_, LOCK_EX | LOCK_NB); }) == 0) return;
  if (errno != EWOULDBLOCK) return;
  ::close(file_);
  fail(Error::Kind::failed, "[file] ", named(directory),
       " is in use: got the lock of another run; expected to be alone in it; try another folder, "
       "or wait for the end of that run");
}

DirectoryLock::~DirectoryLock() { ::close(file_); }

bool DirectoryLock::is_held(const std::string& directory) {
  const Descriptor file(directory, O_RDONLY | O_DIRECTORY, 0);
  if (!file.is_open()) return false;
  return uninterrupted([&] { return ::flock(*file, LOCK_EX | LOCK_NB); }) != 0 &&
         errno == EWOULDBLOCK;
}

void remove_temporaries(const std::string& directory) {
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    if (entry->path().filename().string().starts_with(temporary_prefix))
      ::unlink(entry->path().c_str());
  check(!error, "[file] cannot list ", named(directory), ": got ", error.message(),
        "; expected a directory");
}

void append_line(const std::string& path, std::string_view line) {
  const std::string text = std::string(line) + '\n';
  Descriptor file(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (!file.is_open()) fail_writing(path, "open", errno);
  if (!write_all(*file, std::as_bytes(std::span(text)))) fail_writing(path, "write", errno);
  if (!file.close()) fail_writing(path, "close", errno);
}

void make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  check(!error, "[file] cannot make the directory ", named(path), ": got ", error.message(),
        "; expected a writable place");
}

std::string sha256(std::span<const std::byte> bytes) {
  std::array<char, SHA256_DIGEST_STRING_LENGTH> digits{};
  SHA256Data(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), digits.data());
  return digits.data();
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(::crc32_z(0, nullptr, 0), data, bytes.size()));
}

}  // namespace fraqat
