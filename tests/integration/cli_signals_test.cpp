// Ctrl-C, once and twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <vector>

#include "tests/integration/cli_fixture.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CliSignals : public Cli {
 protected:
  uint64_t bytes() const {
    std::error_code missing;
    const auto size = fs::file_size(work_ / "o.wav", missing);
    return missing ? 0 : size;
  }
};

TEST_F(CliSignals, First_interrupt_ends_gracefully_with_a_readable_file) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Running running(work_, home_, {"run", "-e", "source.tone live=true -> sink.wav path=o.wav"});
    ASSERT_TRUE(running.wait_until([&] { return bytes() > 4096; }));
    running.signal(signal);
    const Ended ended = running.finish();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("Played "));
    const auto sound = read_sound_float(work_ / "o.wav");
    ASSERT_GT(sound.size(), 100u);
    // Faded out: the tone itself has a level of -20 dB.
    EXPECT_LT(std::abs(sound.back()), 0.001f);
    // All of the file is sound: its header was brought up to date.
    EXPECT_GE(sound.size() * sizeof(float) + 4096, fs::file_size(work_ / "o.wav"));
    fs::remove(work_ / "o.wav");
  }
}

TEST_F(CliSignals, Second_interrupt_and_kill_end_at_once_with_a_readable_file) {
  // Two different signals, as two of one kind may arrive as one.
  for (const std::vector<int>& signals : {std::vector{SIGINT, SIGTERM}, std::vector{SIGKILL}}) {
    Ended ended;
    // On a slow day the graceful end is there before the second signal.
    for (int tries = 0; tries < 5; ++tries) {
      fs::remove(work_ / "o.wav");
      Running running(work_, home_, {"run", "-e", "source.tone live=true -> sink.wav path=o.wav"});
      // The second block (a tenth of a second) lies behind the header that counts the first.
      ASSERT_TRUE(running.wait_until([&] { return bytes() > 6000 * 2 * sizeof(float); }));
      for (const int signal : signals) running.signal(signal);
      ended = running.finish();
      if (ended.err.find("Played ") == std::string::npos) break;
    }
    EXPECT_THAT(ended.exit_code, AnyOf(128 + SIGINT, 128 + SIGTERM, 128 + SIGKILL)) << ended.err;
    EXPECT_THAT(ended.err, Not(HasSubstr("Played ")));
    EXPECT_GE(sound_info(work_ / "o.wav").frames, 4800u);
    fs::remove(work_ / "o.wav");
  }
}

}  // namespace
}  // namespace sluice::tests
