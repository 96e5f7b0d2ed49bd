#include "core/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat {
namespace {

using test::TemporaryDirectory;

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.push_back(entry.path().filename().string());
  return names;
}

template <class F>
std::string error_of(F f, Error::Kind kind) {
  try {
    f();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
    return error.what();
  }
  FAIL("no error");
  return {};
}

std::string reading_error(const std::string& path, std::uint64_t max_bytes = 1000) {
  return error_of([&] { read_file(path, max_bytes); }, Error::Kind::input);
}

std::string writing_error(const std::string& path, std::string_view text) {
  return error_of([&] { write_file_atomically(path, text); }, Error::Kind::failed);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("file: what is written is read, byte by byte") {
  TemporaryDirectory directory;
  const std::string path = directory / "all bytes";
  for (std::size_t size : {0, 1, 255, 262143, 262144, 262145, 1000003}) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 >> 3);
    write_file_atomically(path, text);
    CHECK(read_text_file(path, size) == text);
    const auto bytes = read_file(path, size);
    CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == text);
  }
  CHECK(names_in(directory.path()).size() == 1);
}

TEST_CASE("file: a new version keeps the permissions, a link is replaced") {
  TemporaryDirectory directory;
  const std::string path = directory / "private", link = directory / "link";
  write_file_atomically(path, "old");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  write_file_atomically(path, "new");
  CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms(0600));

  REQUIRE(::chmod(path.c_str(), 0000) == 0);
  write_file_atomically(path, "new");
  CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms(0000));
  REQUIRE(::chmod(path.c_str(), 0600) == 0);

  std::filesystem::create_symlink(path, link);
  write_file_atomically(link, "linked");
  CHECK(!std::filesystem::is_symlink(link));
  CHECK(read_text_file(path, 10) == "new");
  CHECK(read_text_file(link, 10) == "linked");
}

TEST_CASE("file: reading refuses what is no regular file, or too large") {
  TemporaryDirectory directory;
  CHECK(contains(reading_error(directory / "none"), "No such file"));
  CHECK(contains(reading_error(directory.path()), "a directory"));
  CHECK(contains(reading_error("/dev/zero"), "device"));

  const std::string fifo = directory / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(contains(reading_error(fifo), "a pipe"));

  std::filesystem::create_symlink("b", directory / "a");
  std::filesystem::create_symlink("a", directory / "b");
  CHECK(contains(reading_error(directory / "a"), "symbolic links"));

  write_file_atomically(directory / "eleven", "12345678901");
  CHECK(contains(reading_error(directory / "eleven", 10), "got 11 bytes; expected at most 10"));
  CHECK(read_text_file(directory / "eleven", 11).size() == 11);

  // A sparse exabyte costs nothing, because nothing is allocated for it.
  std::ofstream(directory / "sparse");
  REQUIRE(::truncate((directory / "sparse").c_str(), off_t{1} << 42) == 0);
  CHECK(contains(reading_error(directory / "sparse"), "too large"));

  // The size that /proc reports is 0, and there is more: the same as a change.
  CHECK(contains(reading_error("/proc/self/status"), "changed while it was read"));
}

TEST_CASE("file: names that would break a line are escaped") {
  TemporaryDirectory directory;
  CHECK(contains(reading_error(directory / "two\nlines \xff"), "two\\x0alines \\xff"));
}

TEST_CASE("file: a write beyond RLIMIT_FSIZE leaves the old file and nothing else") {
  TemporaryDirectory directory;
  const std::string path = directory / "model";
  write_file_atomically(path, "old");
  const std::string large(100000, 'x');
  {
    struct rlimit old {};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit : {rlim_t{0}, rlim_t{1}, rlim_t{4096}, rlim_t{99999}}) {
      const struct rlimit low { limit, old.rlim_max };
      ::setrlimit(RLIMIT_FSIZE, &low);
      std::string text;
      try {
        write_file_atomically(path, large);
      } catch (const Error& error) {
        text = error.what();
      }
      ::setrlimit(RLIMIT_FSIZE, &old);
      CHECK(contains(text, "File too large"));
      CHECK(contains(text, path));
      CHECK(names_in(directory.path()).size() == 1);
    }
    ::signal(SIGXFSZ, handler);
  }
  CHECK(read_text_file(path, 3) == "old");
}

TEST_CASE("file: failed writes leave the old file and nothing else") {
  TemporaryDirectory directory;
  const std::string path = directory / "model";
  write_file_atomically(path, "old");
  SUBCASE("a directory that is missing") {
    CHECK(contains(writing_error(directory / "none/model", "x"), "No such file"));
  }
  SUBCASE("a directory that is a file") {
    CHECK(contains(writing_error(path + "/model", "x"), "Not a directory"));
  }
  SUBCASE("a directory in the place of the file") {
    std::filesystem::create_directory(directory / "taken");
    CHECK(contains(writing_error(directory / "taken", "x"), "a directory"));
    std::filesystem::remove(directory / "taken");
  }
  SUBCASE("a device in the place of the file") {
    CHECK(contains(writing_error("/dev/full", "x"), "a device"));
  }
  SUBCASE("a directory without permission") {
    // root may write everywhere, so become somebody else for a moment.
    const uid_t user = ::geteuid();
    REQUIRE(::chmod(directory.path().c_str(), 0555) == 0);
    if (user == 0) REQUIRE(::seteuid(65534) == 0);
    CHECK(contains(writing_error(path, "x"), "Permission denied"));
    if (user == 0) REQUIRE(::seteuid(0) == 0);
    REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  }
  CHECK(read_text_file(path, 3) == "old");
  CHECK(names_in(directory.path()).size() == 1);
}

TEST_CASE("file: what a kill left is removed, nothing else") {
  TemporaryDirectory directory;
  write_file_atomically(directory / "model", "x");
  std::ofstream(directory / ".fraqat-tmp-123-0123456789abcdef") << "half";
  std::ofstream(directory / ".hidden") << "kept";
  remove_temporaries(directory.path());
  CHECK(names_in(directory.path()).size() == 2);
  CHECK(contains(error_of([&] { remove_temporaries(directory / "none"); }, Error::Kind::failed),
                 "No such file"));
}

TEST_CASE("file: a directory has one lock, given back with its holder") {
  TemporaryDirectory directory;
  {
    const DirectoryLock lock(directory.path());
    CHECK(contains(error_of([&] { DirectoryLock second(directory.path()); }, Error::Kind::failed),
                   "is in use: got the lock of another run"));
    CHECK(DirectoryLock::is_held(directory.path()));
  }
  CHECK_FALSE(DirectoryLock::is_held(directory.path()));
  CHECK_FALSE(DirectoryLock::is_held(directory / "none"));
  const DirectoryLock again(directory.path());
  CHECK(names_in(directory.path()).empty());
  CHECK(contains(error_of([&] { DirectoryLock none(directory / "none"); }, Error::Kind::failed),
                 "No such file"));
}

TEST_CASE("file: lines are appended") {
  TemporaryDirectory directory;
  append_line(directory / "log", "one");
  append_line(directory / "log", "");
  append_line(directory / "log", "three");
  CHECK(read_text_file(directory / "log", 100) == "one\n\nthree\n");
  CHECK(contains(error_of([] { append_line("/dev/full", "x"); }, Error::Kind::failed),
                 "No space left"));
}

TEST_CASE("file: directories are made, and a file in the way is an error") {
  TemporaryDirectory directory;
  make_directories(directory / "a/b/c");
  make_directories(directory / "a/b/c");
  CHECK(std::filesystem::is_directory(directory / "a/b/c"));
  write_file_atomically(directory / "file", "");
  CHECK(contains(error_of([&] { make_directories(directory / "file/x"); }, Error::Kind::failed),
                 "file/x"));
}

TEST_CASE("file: checksums of known texts") {
  // FIPS 180-2, appendix B.1; the check value of CRC-32 in every table.
  const std::string abc = "abc", digits = "123456789", none;
  CHECK(sha256(std::as_bytes(std::span(abc))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256(std::as_bytes(std::span(none))) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(crc32(std::as_bytes(std::span(digits))) == 0xCBF43926u);
  CHECK(crc32(std::as_bytes(std::span(none))) == 0u);
}

TEST_CASE("text: quoting is one printable line") {
  CHECK(in_quotes("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") ==
        "\"plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
  CHECK(in_quotes(std::string_view("a\0\n\x1b\x7f", 5)) == "\"a\\x00\\x0a\\x1b\\x7f\"");
  CHECK(in_quotes("q\"b\\") == "\"q\\\"b\\\\\"");
  CHECK(in_quotes("\xC2\x9B\xE2\x80\xA8") == "\"\\xc2\\x9b\\xe2\\x80\\xa8\"");
  CHECK(in_quotes(std::string(1000, 'x'), 10) == "\"xxxxx...xxxxx\"");
}

TEST_CASE("text: what may be shown as it is, and what a shell reads back") {
  for (const char* text : {"", "plain", "caf\xC3\xA9 \"q\" \\"}) CHECK(is_printable(text));
  for (const char* text : {"a\n", "\x1b[31m", "\x7f", "\xC2\x9B", "\xE2\x80\xA8", "\xFF"})
    CHECK_FALSE(is_printable(text));
  CHECK(shell_quoted("runs/a-1_b.toml") == "runs/a-1_b.toml");
  CHECK(shell_quoted("") == "''");
  CHECK(shell_quoted("it's $(x)") == "'it'\\''s $(x)'");
}

TEST_CASE("text: UTF-8 by its definition") {
  // Table 3-7 of the Unicode standard: the ends of every row, and just beyond.
  for (const char* good : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                           "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    CHECK(valid_utf8_length(good) == std::string_view(good).size());
  for (const char* bad :
       {"\x80", "\xC1\xBF", "\xC2", "\xC2\x7F", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE1\x80",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    CHECK(valid_utf8_length("ok" + std::string(bad)) == 2);
}

}  // namespace
}  // namespace fraqat
