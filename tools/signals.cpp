#include "tools/signals.hpp"

#include <unistd.h>

#include <csignal>

namespace fraqat::tools {
namespace {

volatile std::sig_atomic_t noted = 0;

void note(int signal) {
  if (noted != 0) ::_exit(shell_offset + signal);
  noted = signal;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void note_signals() {
  handle(SIGINT, note);
  handle(SIGTERM, note);
}

int noted_signal() { return noted; }

void ignore_write_signals() {
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);
}

}  // namespace fraqat::tools
