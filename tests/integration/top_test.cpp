// What `sluice top` shows, and the terminal it shows it on.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/top_screen.hpp"
#include "host/graph/json_text.hpp"
#include "tests/integration/cli_fixture.hpp"
#include "tests/support/folders.hpp"

namespace sluice::tests {
namespace {

using cli::TopScreen;
using cli::TopView;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string statistics(double time_s, int64_t read, int64_t lost, int nodes = 1) {
  std::string all = fmt::format(R"({{"time_s": {}, "nodes": {{)", time_s);
  for (int i = 0; i < nodes; ++i) {
    all += R"("node)" + std::to_string(i) +
           R"(": {"type": "filter.bridge", "state": "running", "busy_ns": )" +
           std::to_string(read * 1000) + R"(, "statistics": {"drift_ppm": -12.34}},)";
  }
  all += R"("bad": {"type": "sink.tcp", "state": "lost", "sentence": "Nobody \u001b[2J answers."}},
    "outputs": {"node0.out": {"peak_db": -6.0, "latency_ms": 5.25}},
    "edges": {"node0.out->bad.in": {"fill_frames": 120, "fill_ms": 2.5, "capacity_frames": 480,
      "read_frames": )" +
         std::to_string(read) + R"(, "lost_frames": )" + std::to_string(lost) +
         R"(, "filled_frames": 0}},
    "clocks": {"card": {"ppm": 3.21}, "other": {"ppm": null}},
    "latency": [{"source": "node0", "sink": "bad", "declared_ms": 41.0, "measured_ms": null}]})";
  return all;
}

TopScreen screen_of(const std::string& before, const std::string& now) {
  TopScreen screen;
  screen.take_status(*graph::parse_json_value(
      R"({"graph": "live", "pid": 7, "version": 3, "routes": {"main": {"taken": "here"}}})"));
  screen.take_statistics(*graph::parse_json_value(before));
  screen.take_statistics(*graph::parse_json_value(now));
  return screen;
}

TEST(TopScreen, Shows_what_grew_a_second) {
  const TopScreen screen = screen_of(statistics(10.0, 0, 0), statistics(12.0, 96000, 24));
  const auto lines = screen.draw({});
  ASSERT_EQ(lines.size(), 24u);
  EXPECT_EQ(lines[1], "card +3.2 ppm · node0 → bad 41.0 ms");
  EXPECT_EQ(lines[0], "live · 0:12 · main → here · version 3 · process 7");
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("node0 filter.bridge running"), HasSubstr("4.8%"),
                                    HasSubstr("█"), HasSubstr("-6 dB"), HasSubstr("5.2 ms"),
                                    HasSubstr("-12.3 ppm"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("node0 → bad"), HasSubstr("2.5 ms"),
                                    HasSubstr("48.0k"), HasSubstr(" 24 "))));
  // A sentence from elsewhere does not reach the terminal as it is.
  EXPECT_THAT(lines, Contains(HasSubstr("Nobody \\x1b[2J answers.")));
}

TEST(TopScreen, Fits_every_terminal) {
  const TopScreen screen = screen_of(statistics(10.0, 0, 0, 60), statistics(12.0, 96000, 24, 60));
  for (const size_t columns : {1u, 20u, 39u, 40u, 57u, 80u, 132u, 300u}) {
    for (const size_t rows : {1u, 7u, 8u, 24u, 50u, 200u}) {
      for (const bool is_unicode : {false, true}) {
        TopView view{.columns = columns, .rows = rows, .is_unicode = is_unicode};
        view.scrolled = 1000;
        const auto lines = screen.draw(view);
        EXPECT_LE(lines.size(), rows);
        for (const std::string& line : lines) {
          EXPECT_LE(width_of(line), columns) << line;
          const bool is_ascii =
              std::all_of(line.begin(), line.end(), [](char c) { return c >= 0; });
          EXPECT_TRUE(is_unicode || is_ascii) << line;
        }
      }
    }
  }
}

TEST(TopScreen, Scrolls_to_the_last_node) {
  const TopScreen screen = screen_of(statistics(10.0, 0, 0, 60), statistics(12.0, 96000, 24, 60));
  TopView view;
  EXPECT_THAT(screen.draw(view), Not(Contains(HasSubstr("node59"))));
  EXPECT_THAT(screen.draw(view), Contains(HasSubstr("node0 ")));
  EXPECT_THAT(screen.draw(view), Contains(HasSubstr("node0 → bad")));
  view.scrolled = screen.most_scrolled(view);
  EXPECT_THAT(screen.draw(view), Contains(HasSubstr("node59")));
  EXPECT_THAT(screen.draw(view), Contains(HasSubstr("node0 → bad")));
}

TEST(TopScreen, Colours_only_where_wanted) {
  const TopScreen screen = screen_of(statistics(10.0, 0, 0), statistics(12.0, 96000, 24));
  TopView view;
  EXPECT_THAT(screen.draw(view), Not(Contains(HasSubstr("\x1b"))));
  view.is_coloured = true;
  EXPECT_THAT(screen.draw(view), Contains(HasSubstr("\x1b[31m24\x1b[0m")));
}

class Top : public Cli {
 protected:
  void start() {
    write(work_ / "watched.json", R"({"sluice": 1, "name": "watched", "nodes": {
        "tone": {"type": "source.tone", "params": {"live": true}},
        "end": {"type": "sink.null", "params": {"pace": "real-time"}}},
      "edges": ["tone -> end"]})");
    host_ = std::make_unique<Running>(work_, home_, Words{"run", "-q", "watched.json"});
    ASSERT_TRUE(host_->wait_until([&] { return sluice({"call", "route"}).exit_code == 0; }));
  }
  std::unique_ptr<Running> host_;
};

TEST_F(Top, Once_prints_a_frame_for_scripts) {
  start();
  const std::string frame = output({"top", "--once", "--rate", "20"});
  EXPECT_THAT(frame, AllOf(HasSubstr("watched | 0:"), HasSubstr("NODE"), HasSubstr("\ntone"),
                           HasSubstr("\ntone > end"), Not(HasSubstr("\x1b"))));
  const Ended ended = sluice({"top"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--once"));
}

// On a terminal of its own: a frame as large as that is, another when it has another size, and all
// as it was after q.
TEST_F(Top, Terminal_is_filled_and_given_back) {
  start();
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::grantpt(terminal), 0);
  ASSERT_EQ(::unlockpt(terminal), 0);
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(terminal, TIOCSWINSZ, &size), 0);
  termios before{};
  const std::string name = ::ptsname(terminal);
  const int other_end = ::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_EQ(::tcgetattr(other_end, &before), 0);
  const std::string command = "XDG_RUNTIME_DIR='" + home_.string() +
                              "' LC_ALL=C.UTF-8 TERM=xterm '" + build_folder().string() +
                              "/bin/sluice' top --rate 20 <'" + name + "' >'" + name +
                              "' 2>&1; echo \"ended $?\" >'" + name + "'";
  FILE* const program = ::popen(command.c_str(), "r");
  ASSERT_NE(program, nullptr);
  std::string shown;
  const auto wait_for = [&](const std::string& text) {
    shown.clear();
    for (;;) {
      if (shown.find(text) != std::string::npos) return true;
      pollfd waiting{terminal, POLLIN, 0};
      char part[65536];
      if (::poll(&waiting, 1, 60'000) != 1) return false;
      const ssize_t count = ::read(terminal, part, sizeof(part));
      if (count <= 0) return false;
      shown.append(part, static_cast<size_t>(count));
    }
  };
  EXPECT_TRUE(wait_for("\x1b[?1049h"));
  EXPECT_TRUE(wait_for("tone → end"));
  // The foot stands in the last line.
  EXPECT_TRUE(wait_for("q quit"));
  size = {.ws_row = 4, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(terminal, TIOCSWINSZ, &size), 0);
  EXPECT_TRUE(wait_for("too small"));
  ASSERT_EQ(::write(terminal, "q", 1), 1);
  EXPECT_TRUE(wait_for("ended 0"));
  EXPECT_THAT(shown, HasSubstr("\x1b[?25h\x1b[?1049l"));
  termios after{};
  ASSERT_EQ(::tcgetattr(other_end, &after), 0);
  EXPECT_EQ(after.c_lflag, before.c_lflag);
  ::pclose(program);
  ::close(other_end);
  ::close(terminal);
}

}  // namespace
}  // namespace sluice::tests
