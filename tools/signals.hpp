#pragma once

namespace fraqat::tools {

/// From now on the first SIGINT or SIGTERM is only noted; the second ends the
/// program at once.
void note_signals();

/// A program that signal s ended exits with this + s, as shells say it.
constexpr int shell_offset = 128;

/// The signal noted so far; 0 if none.
int noted_signal();

/// A pipe whose reader left, or a file that grew too large, are errors of the
/// write that met them, not the end of the program.
void ignore_write_signals();

}  // namespace fraqat::tools
