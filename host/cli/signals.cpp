#include "host/cli/signals.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace sluice::cli {
namespace {

std::atomic<bool> is_asked{false};
std::atomic<bool> is_reload_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int signal) {
  if (is_asked.exchange(true)) _exit(128 + signal);
}

void on_reload(int) { is_reload_asked.store(true); }

}  // namespace

void watch_signals(bool is_reloaded) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  if (is_reloaded) {
    action.sa_handler = on_reload;
    sigaction(SIGHUP, &action, nullptr);
  }
  // A broken pipe and a file that may not grow are errors of the calls that meet them.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

bool is_interrupted() { return is_asked.load(); }
bool take_reload() { return is_reload_asked.exchange(false); }

}  // namespace sluice::cli
