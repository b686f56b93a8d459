// sluice top: a running graph, live on the terminal.
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "host/cli/answer.hpp"
#include "host/cli/remote.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/terminal.hpp"
#include "host/cli/top_screen.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;
using graph::Value;

constexpr int kKeyMs = 50;  // how late a key may be seen
constexpr size_t kManyRows = 100'000;
constexpr size_t kPageLines = 10;

// The terminal as it is while the screen is shown: another page, no cursor, keys at once. As it was
// when this ends.
class FullScreen {
 public:
  FullScreen() {
    if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
      termios raw = before_;
      raw.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
      raw.c_cc[VMIN] = 0;
      raw.c_cc[VTIME] = 0;
      has_changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    put("\x1b[?1049h\x1b[?25l");
  }
  ~FullScreen() {
    put("\x1b[?25h\x1b[?1049l");
    if (has_changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  void show(const std::vector<std::string>& lines) {
    // Drawn over what is there, and in one write: nothing flickers.
    std::string all = "\x1b[H";
    for (size_t i = 0; i < lines.size(); ++i) {
      all += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";
    }
    put(all + "\x1b[J");
  }

 private:
  static void put(std::string_view text) {
    while (!text.empty()) {
      const ssize_t size = ::write(STDOUT_FILENO, text.data(), text.size());
      if (size < 0 && errno != EINTR) return;
      if (size > 0) text.remove_prefix(static_cast<size_t>(size));
    }
  }

  termios before_{};
  bool has_changed_ = false;
};

enum class Key : uint8_t { kNone, kQuit, kUp, kDown, kPageUp, kPageDown };

Key read_key() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, 1, 0) <= 0) return Key::kNone;
  char bytes[16];
  const ssize_t size = ::read(STDIN_FILENO, bytes, sizeof(bytes));
  if (size <= 0) return size == 0 ? Key::kQuit : Key::kNone;
  const std::string_view text(bytes, static_cast<size_t>(size));
  if (text == "\x1b[A" || text == "\x1bOA" || text == "k") return Key::kUp;
  if (text == "\x1b[B" || text == "\x1bOB" || text == "j") return Key::kDown;
  if (text == "\x1b[5~") return Key::kPageUp;
  if (text == "\x1b[6~" || text == " ") return Key::kPageDown;
  return text[0] == 'q' || text[0] == 'Q' ? Key::kQuit : Key::kNone;
}

class Top {
 public:
  Top(control::Client& client, double rate_hz) : client_(client), rate_hz_(rate_hz) {}

  // An error has been printed if this is false.
  bool begin() {
    const Value topics(Value::Array{"statistics", "changes"});
    const auto answer =
        client_.call("subscribe", object_of({{"topics", topics}, {"rate_hz", rate_hz_}}));
    if (!answer) {
      std::fprintf(stderr, "sluice: %s\n", answer.error().message.c_str());
      return false;
    }
    screen_.take_status(at(at(*answer, "snapshot"), "status"));
    return true;
  }

  // Waits for news; whether there were any.
  bool take(int timeout_ms) {
    const auto message = client_.next(timeout_ms);
    if (!message) return false;
    const Value& event = at(*message, "params");
    if (text(at(event, "topic")) == "statistics") {
      screen_.take_statistics(at(event, "statistics"));
      ++count_;
    } else if (const auto status = client_.call("status", Value::object())) {
      screen_.take_status(*status);
    }
    return true;
  }

  int count() const { return count_; }  // of statistics that have come
  const TopScreen& screen() const { return screen_; }

 private:
  control::Client& client_;
  const double rate_hz_;
  TopScreen screen_;
  int count_ = 0;
};

int show_once(control::Client& client, Top& top, TopView view) {
  // Levels and what grows a second are known from the second on.
  while (top.count() < 2 && !client.is_gone()) top.take(-1);
  if (top.count() < 2) {
    std::fputs("sluice: the host has gone.\n", stderr);
    return kFailure;
  }
  view.rows = kManyRows;
  view.is_interactive = false;
  for (const std::string& line : top.screen().draw(view)) std::printf("%s\n", line.c_str());
  return kSuccess;
}

// Until a key, a signal or the graph ends it; the latter is said.
int watch(control::Client& client, Top& top, TopView view) {
  watch_signals();
  // Only there to end a wait: the size is looked at before each frame.
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(SIGWINCH, &action, nullptr);
  {
    FullScreen terminal;
    bool is_new = true;
    while (!is_interrupted() && !client.is_gone()) {
      const TerminalSize size = terminal_size();
      is_new = is_new || size.columns != view.columns || size.rows != view.rows;
      view.columns = size.columns;
      view.rows = size.rows;
      const size_t most = top.screen().most_scrolled(view);
      view.scrolled = std::min(view.scrolled, most);
      if (is_new) terminal.show(top.screen().draw(view));
      is_new = top.take(kKeyMs);
      const Key key = read_key();
      if (key == Key::kQuit) return kSuccess;
      if (key == Key::kUp) view.scrolled -= std::min<size_t>(1, view.scrolled);
      if (key == Key::kDown) ++view.scrolled;
      if (key == Key::kPageUp) view.scrolled -= std::min(kPageLines, view.scrolled);
      if (key == Key::kPageDown) view.scrolled += kPageLines;
      is_new = is_new || key != Key::kNone;
    }
  }
  if (client.is_gone()) std::puts("The graph has ended.");
  return kSuccess;
}

}  // namespace

int run_top(const Arguments& arguments) {
  bool is_once = false, is_ascii = false;
  double rate_hz = 4.0;
  po::options_description more;
  more.add_options()("once", po::bool_switch(&is_once), "print one frame, for scripts");
  more.add_options()("rate", po::value(&rate_hz)->value_name("HZ"),
                     "frames a second, up to 20 (4 if left out)");
  more.add_options()("ascii", po::bool_switch(&is_ascii), "draw with plain characters");
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"top [options]",
       "Watches a running graph: nodes with how busy they are, levels, latency and clocks; edges "
       "with fill, reading rate and losses, red while they grow. Arrow keys scroll, q quits.",
       0, 0, false, false, &more},
      exit_code);
  if (!options) return exit_code;
  const bool is_terminal = ::isatty(STDOUT_FILENO) != 0;
  if (!is_once && !is_terminal) {
    std::fputs("sluice: this is no terminal; --once prints one frame.\n", stderr);
    return kUsage;
  }
  auto client = connect_to(options->graph, exit_code);
  if (!client) return exit_code;
  Top top(*client, rate_hz);
  if (!top.begin()) return kFailure;
  const char* const kind = std::getenv("TERM");
  const char* const no_colour = std::getenv("NO_COLOR");
  const bool is_dumb = kind && std::strcmp(kind, "dumb") == 0;
  TopView view;
  view.is_unicode = !is_ascii && !is_dumb && has_unicode();
  view.is_coloured = is_terminal && !is_dumb && !(no_colour && *no_colour);
  view.columns = terminal_size().columns;
  return is_once ? show_once(*client, top, view) : watch(*client, top, view);
}

}  // namespace sluice::cli
