#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace fraqat {

/// The one exception type.  Its text reads
///   [who] what is wrong: got ...; expected ...; try ...
/// and its kind is the exit code of the command that could not go on.
class Error : public std::runtime_error {
 public:
  enum class Kind { failed = 1, usage = 2, input = 3 };

  Error(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}

  Kind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  Kind kind_;
};

/// Throws an Error made of `parts`, streamed one after the other.
template <class... Parts>
[[noreturn]] void fail(Error::Kind kind, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(kind, text.str());
}

/// Throws Error{failed} unless `condition` holds.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(Error::Kind::failed, parts...);
}

/// Throws Error{input} unless `condition` holds: the file (or text) is to blame.
template <class... Parts>
void check_input(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(Error::Kind::input, parts...);
}

/// Throws Error{usage} unless `condition` holds: the command line is to blame.
template <class... Parts>
void check_usage(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(Error::Kind::usage, parts...);
}

}  // namespace fraqat
