#include "host/support/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace sluice::support {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

class Capture final : public LogOutput {
 public:
  void write(const LogLine& line) override {
    texts.emplace_back(line.text);
    sentences.emplace_back(line.sentence);
  }
  void flush() override { ++flushes; }
  std::vector<std::string> texts;
  std::vector<std::string> sentences;
  int flushes = 0;
};

class Log : public ::testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kDebug); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }
  Capture capture_;
  LogRedirect redirect_{capture_};
};

TEST_F(Log, line_has_time_level_node_and_sentence) {
  log(LogLevel::kWarning, "gate", "It closed.");
  log_error("No more memory.");
  ASSERT_EQ(capture_.texts.size(), 2u);
  EXPECT_THAT(capture_.texts[0],
              MatchesRegex("[0-9]+:[0-9]+:[0-9]+.[0-9][0-9][0-9] warning gate: It closed."));
  EXPECT_THAT(capture_.texts[1],
              MatchesRegex("[0-9]+:[0-9]+:[0-9]+.[0-9][0-9][0-9] error   No more memory."));
}

TEST_F(Log, level_leaves_out_what_is_less_important) {
  set_log_level(LogLevel::kWarning);
  log_debug("d");
  log_info("i");
  log_warning("w");
  log_error("e");
  EXPECT_THAT(capture_.sentences, ElementsAre("w", "e"));
}

TEST_F(Log, sentence_from_outside_cannot_command_the_terminal) {
  log(LogLevel::kInfo, "n\n", "\x1b]0;title\a\nnext \xFF");
  ASSERT_EQ(capture_.sentences.size(), 1u);
  EXPECT_EQ(capture_.sentences[0], "\\x1b]0;title\\x07\\nnext \\xff");
  EXPECT_THAT(capture_.texts[0], ::testing::HasSubstr("n\\n: \\x1b]0;"));
}

TEST_F(Log, sentence_with_percent_and_braces_is_taken_literally) {
  log_info("100 % of {} and %v");
  EXPECT_THAT(capture_.sentences, ElementsAre("100 % of {} and %v"));
}

TEST_F(Log, redirect_nests_and_ends) {
  {
    Capture inner;
    const LogRedirect redirect(inner);
    log_info("inner");
    EXPECT_THAT(inner.sentences, ElementsAre("inner"));
  }
  log_info("outer");
  EXPECT_THAT(capture_.sentences, ElementsAre("outer"));
}

TEST_F(Log, flush_reaches_the_output) {
  flush_log();
  EXPECT_EQ(capture_.flushes, 1);
}

TEST_F(Log, lines_of_many_threads_stay_whole) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) log_info("one whole sentence");
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(capture_.sentences.size(), 800u);
  for (const std::string& sentence : capture_.sentences) {
    ASSERT_EQ(sentence, "one whole sentence");
  }
}

TEST_F(Log, line_on_stderr_is_plain_text_with_a_line_feed) {
  ::testing::internal::CaptureStderr();
  write_to_stderr({LogLevel::kError, "", "Broken.", "12:00:00.000 error   Broken."});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "12:00:00.000 error   Broken.\n");
}

TEST_F(Log, on_change_says_a_thing_once) {
  LogOnChange state("sink");
  EXPECT_TRUE(state.log(LogLevel::kInfo, "waiting"));
  EXPECT_FALSE(state.log(LogLevel::kInfo, "waiting"));
  EXPECT_TRUE(state.log(LogLevel::kInfo, "connected"));
  EXPECT_TRUE(state.log(LogLevel::kInfo, "waiting"));
  state.reset();
  EXPECT_TRUE(state.log(LogLevel::kInfo, "waiting"));
  EXPECT_THAT(capture_.sentences, ElementsAre("waiting", "connected", "waiting", "waiting"));
}

TEST_F(Log, on_change_says_an_empty_first_sentence) {
  LogOnChange state;
  EXPECT_TRUE(state.log(LogLevel::kInfo, ""));
}

TEST_F(Log, seldom_counts_what_it_leaves_out) {
  LogSeldom seldom(1000);
  EXPECT_TRUE(seldom.log(LogLevel::kWarning, "late", 0));
  EXPECT_FALSE(seldom.log(LogLevel::kWarning, "late", 1));
  EXPECT_FALSE(seldom.log(LogLevel::kWarning, "late", 999));
  EXPECT_TRUE(seldom.log(LogLevel::kWarning, "late", 1000));
  EXPECT_TRUE(seldom.log(LogLevel::kWarning, "late", 5000));
  EXPECT_THAT(capture_.sentences, ElementsAre("late", "late (2 such lines left out)", "late"));
}

TEST_F(Log, below_the_level_writes_nothing_to_a_redirect) {
  set_log_level(LogLevel::kError);
  LogOnChange state;
  EXPECT_TRUE(state.log(LogLevel::kInfo, "quiet"));
  EXPECT_THAT(capture_.sentences, IsEmpty());
}

}  // namespace
}  // namespace sluice::support
