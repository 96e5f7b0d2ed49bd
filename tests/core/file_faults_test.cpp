#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/support/temporary_directory.hpp"

/// The system calls that core/file.cpp makes, in place of the C library's: the
/// n-th may fail, all may be short, a write may write something else.
namespace {

enum class Call { open, read, write, fsync, fchmod, rename, close };

struct {
  bool armed = false;
  std::vector<Call> made;       // since it was armed
  std::size_t strike = 0;       // the call that fails, counted from 1; 0: none
  int error = 0;                // with this errno
  std::size_t most = SIZE_MAX;  // bytes of one read or write
  bool corrupt = false;         // a write changes its first byte
} faults;

/// Whether the call that is being made fails.
bool fails(Call call) {
  if (!faults.armed) return false;
  faults.made.push_back(call);
  if (faults.made.size() != faults.strike) return false;
  errno = faults.error;
  return true;
}

std::size_t limited(std::size_t bytes) {
  return faults.armed ? std::min(bytes, faults.most) : bytes;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0u;
  va_end(arguments);
  if (fails(Call::open)) return -1;
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

ssize_t read(int file, void* bytes, std::size_t size) {
  return fails(Call::read) ? -1 : ::syscall(SYS_read, file, bytes, limited(size));
}

ssize_t write(int file, const void* bytes, std::size_t size) {
  if (fails(Call::write)) return -1;
  if (faults.armed && faults.corrupt && size > 0) {
    const char other = static_cast<char>(*static_cast<const char*>(bytes) + 1);
    return ::syscall(SYS_write, file, &other, 1);
  }
  return ::syscall(SYS_write, file, bytes, limited(size));
}

int fsync(int file) {
  return fails(Call::fsync) ? -1 : static_cast<int>(::syscall(SYS_fsync, file));
}

int fchmod(int file, mode_t mode) noexcept {
  return fails(Call::fchmod) ? -1 : static_cast<int>(::syscall(SYS_fchmod, file, mode));
}

int rename(const char* from, const char* to) noexcept {
  return fails(Call::rename) ? -1 : static_cast<int>(::syscall(SYS_rename, from, to));
}

int close(int file) {
  const auto result = static_cast<int>(::syscall(SYS_close, file));
  return fails(Call::close) ? -1 : result;
}

}  // extern "C"

namespace fraqat {
namespace {

/// Runs f with the faults given; whether it threw an Error of `kind`.
template <class F>
bool throws_under_faults(Error::Kind kind, F f) {
  bool thrown = false;
  faults.made.clear();
  faults.armed = true;
  try {
    f();
  } catch (const Error& error) {
    thrown = true;
    faults.armed = false;
    CHECK(error.kind() == kind);
  }
  faults.armed = false;
  return thrown;
}

struct Restored {
  ~Restored() { faults = {}; }
};

std::size_t files_in(const std::string& directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

const std::string old_text(300000, 'o'), new_text(300001, 'n');

TEST_CASE("file faults: every system call of an atomic write fails in turn") {
  const Restored restored;
  test::TemporaryDirectory directory;
  const std::string path = directory / "model";
  write_file_atomically(path, old_text);
  const auto write = [&] { write_file_atomically(path, new_text); };
  CHECK(!throws_under_faults(Error::Kind::failed, write));
  const std::vector<Call> calls = faults.made;
  const auto renamed = static_cast<std::size_t>(
      std::find(calls.begin(), calls.end(), Call::rename) - calls.begin() + 1);
  REQUIRE(renamed < calls.size());
  REQUIRE(calls.size() >= 10);

  for (int error : {EIO, ENOSPC, EDQUOT, EROFS, EINTR})
    for (std::size_t n = 1; n <= calls.size(); ++n) {
      CAPTURE(error);
      CAPTURE(n);
      const Call call = calls[n - 1];
      write_file_atomically(path, old_text);
      faults.strike = n;
      faults.error = error;
      const bool thrown = throws_under_faults(Error::Kind::failed, write);
      faults.strike = 0;
      // A signal is no failure (rename and fchmod are never interrupted), nor is
      // the last close, of the directory.
      const bool harmless = error == EINTR && call != Call::rename && call != Call::fchmod;
      CHECK(thrown == !(harmless || n == calls.size()));
      CHECK(read_text_file(path, 1 << 20) == (thrown && n <= renamed ? old_text : new_text));
      CHECK(files_in(directory.path()) == 1);
    }
}

TEST_CASE("file faults: every system call of a read fails in turn") {
  const Restored restored;
  test::TemporaryDirectory directory;
  const std::string path = directory / "model";
  write_file_atomically(path, old_text);
  std::string text;
  const auto read = [&] { text = read_text_file(path, 1 << 20); };
  CHECK(!throws_under_faults(Error::Kind::input, read));
  const std::vector<Call> calls = faults.made;
  REQUIRE(calls.size() >= 4);
  for (int error : {EIO, EACCES, EINTR})
    for (std::size_t n = 1; n <= calls.size(); ++n) {
      text.clear();
      faults.strike = n;
      faults.error = error;
      const bool thrown = throws_under_faults(Error::Kind::input, read);
      CHECK(thrown == (error != EINTR && calls[n - 1] != Call::close));
      CHECK(text == (thrown ? "" : old_text));
    }
}

TEST_CASE("file faults: reads and writes may be short") {
  const Restored restored;
  test::TemporaryDirectory directory;
  const std::string path = directory / "model", text = old_text.substr(0, 5000) + "end";
  for (std::size_t most : {1, 7, 4096}) {
    faults.most = most;
    std::string again;
    CHECK(!throws_under_faults(Error::Kind::failed, [&] {
      write_file_atomically(path, text);
      again = read_text_file(path, text.size());
    }));
    CHECK(again == text);
  }
}

TEST_CASE("file faults: a disk that writes something else is noticed") {
  const Restored restored;
  test::TemporaryDirectory directory;
  const std::string path = directory / "model";
  write_file_atomically(path, "old");
  faults.corrupt = true;
  CHECK(throws_under_faults(Error::Kind::failed, [&] { write_file_atomically(path, "new"); }));
  CHECK(read_text_file(path, 3) == "old");
  CHECK(files_in(directory.path()) == 1);
}

TEST_CASE("file faults: a line that is cut short by a full disk is an error") {
  const Restored restored;
  test::TemporaryDirectory directory;
  faults.most = 3;
  CHECK(!throws_under_faults(Error::Kind::failed, [&] { append_line(directory / "log", "line"); }));
  CHECK(read_text_file(directory / "log", 100) == "line\n");
  faults.strike = 3;  // open, write, write
  faults.error = ENOSPC;
  CHECK(throws_under_faults(Error::Kind::failed, [&] { append_line(directory / "log", "line"); }));
}

}  // namespace
}  // namespace fraqat
