// Hostile files: refused by a sentence, within 1 s of processor time and 64 MiB of memory. Each is
// read by a process of its own, whose memory and time the kernel measures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "host/support/sanitizers.hpp"
#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

constexpr long kMaximumKib = 64 * 1024;
constexpr double kMaximumCpuS = 1;

struct Cost {
  std::string said;
  long peak_kib = 0;
  double cpu_s = 0;
};

class Limits : public ::testing::Test {
 protected:
  void SetUp() override {
    if (SLUICE_THREAD_SANITIZER) GTEST_SKIP() << "one thread reads 16 MiB at a time";
  }
};

constexpr std::string_view kPeak = "VmHWM:";
constexpr const char* kFileVariable = "SLUICE_TEST_GRAPH_FILE";

// Not a test but what cost_of() measures, in a process of its own.
TEST(LimitsProcess, DISABLED_read_one_file) {
  const char* file = std::getenv(kFileVariable);
  ASSERT_NE(file, nullptr);
  for (const std::string& line : lines(graph::load_file(file, graph_catalog()).diagnostics)) {
    std::puts(line.substr(0, 2000).c_str());
  }
  // Of this program alone: what getrusage tells the parent includes the parent's own, from before
  // the exec.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kPeak)) std::puts(line.c_str());
  }
}

// What a fresh process says about a file, and what that takes.
Cost cost_of(const std::filesystem::path& file) {
  Cost cost;
  int ends[2];
  if (::pipe(ends) != 0) return cost;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::setenv(kFileVariable, file.c_str(), 1);
    ::execl("/proc/self/exe", "test_graph", "--gtest_also_run_disabled_tests",
            "--gtest_filter=LimitsProcess.DISABLED_read_one_file", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(ends[1]);
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
    cost.said.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  const std::size_t peak = cost.said.rfind(kPeak);
  EXPECT_NE(peak, std::string::npos);
  if (peak == std::string::npos) return cost;
  const std::size_t digits = cost.said.find_first_of("0123456789", peak);
  std::from_chars(cost.said.data() + digits, cost.said.data() + cost.said.size(), cost.peak_kib);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  cost.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return cost;
}

void expect_refused(const std::string& text, const std::string& sentence) {
  const Folder folder;
  const Cost cost = cost_of(folder.write("big.json", text));
  EXPECT_THAT(cost.said, testing::HasSubstr(sentence));
  if (!SLUICE_ADDRESS_SANITIZER) {
    EXPECT_LE(cost.peak_kib, kMaximumKib);
    EXPECT_LE(cost.cpu_s, kMaximumCpuS);
  }
  ::testing::Test::RecordProperty("peak_kib", static_cast<int>(cost.peak_kib));
  ::testing::Test::RecordProperty("cpu_ms", static_cast<int>(cost.cpu_s * 1000));
}

std::string repeated(const std::string& part, std::size_t bytes) {
  std::string text;
  text.reserve(bytes + part.size());
  while (text.size() + part.size() <= bytes) text += part;
  return text;
}

// A text of just the largest size, beginning with `begin` and ending with `end`.
std::string largest(const std::string& begin, const std::string& part, const std::string& end) {
  std::string text =
      begin + repeated(part, graph::kMaximumFileBytes - begin.size() - end.size()) + end;
  text.append(graph::kMaximumFileBytes - text.size(), ' ');
  return text;
}

TEST_F(Limits, file_over_16_MiB_is_refused_unread) {
  expect_refused(largest("{}", " ", "") + " ", "is larger than 16 MiB, the most that is read");
  const Folder folder;
  const std::filesystem::path huge = folder.write("huge.json", "{}");
  std::filesystem::resize_file(huge, std::uintmax_t{1} << 40);
  EXPECT_THAT(cost_of(huge).said, testing::HasSubstr("is larger than 16 MiB"));
  EXPECT_THAT(cost_of("/dev/zero").said, testing::HasSubstr("is larger than 16 MiB"));
}

TEST_F(Limits, text_of_16_MiB_is_read) {
  EXPECT_THAT(complaints(largest("{\"sluice\": 1, \"nodes\": {\"a\": \"source.tone\", \"b\": "
                                 "\"sink.null\"}, \"edges\": [\"a -> b\"]}",
                                 " ", "")),
              testing::IsEmpty());
  EXPECT_THAT(
      complaints(largest("{}", " ", "") + " "),
      testing::ElementsAre("g.json:1:1: this is larger than 16 MiB, the most a graph file may "
                           "have"));
}

TEST_F(Limits, nesting_past_64_is_refused_at_its_place) {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_THAT(complaints(nested(64)),
              testing::ElementsAre("g.json:1:1: a graph must be an object, not a list"));
  std::string pointer;
  for (int i = 0; i < 64; ++i) pointer += "/0";
  EXPECT_THAT(complaints(nested(65)),
              testing::ElementsAre("g.json:1:65: " + pointer +
                                   ": this is nested deeper than 64 levels, the most a graph may "
                                   "have"));
}

TEST_F(Limits, nesting_of_16_MiB_is_refused) {
  expect_refused(largest("", "[", ""), "nested deeper than 64 levels");
  expect_refused(largest("", "{\"a\":", ""), "nested deeper than 64 levels");
}

TEST_F(Limits, nesting_behind_as_much_as_may_be_is_refused) {
  // The most values and keys that are read before the nesting is met.
  std::string begin = "{\"a\": {";
  for (int i = 0; i < 490'000; ++i) begin += "\"" + std::to_string(i) + "\":0,";
  const std::string deep = "\"x\":0}, \"b\": " + std::string(70, '[');
  begin += deep;
  begin.append(graph::kMaximumFileBytes - begin.size(), '\n');
  expect_refused(begin, "nested deeper than 64 levels");
}

TEST_F(Limits, too_many_values_are_refused) {
  expect_refused(largest("[", "0,", "0]"), "there are 500000 values up to here");
  expect_refused(largest("[", "0 ", "0]"), "a comma is missing here");
  expect_refused(largest("{", "\"a\":\n0,", "\"b\":0}"), "there are 500000 values up to here");
}

TEST_F(Limits, faults_in_large_files_stay_cheap) {
  expect_refused(largest("[\"", "a", ""), "this text is not closed");
  expect_refused(largest("/*", "a", ""), "this comment is not closed");
  expect_refused(largest("{\"", "\xC3\xA4", "\": 1, }"), "this key is longer than 4096 bytes");
  expect_refused(largest("{\"sluice\": 1, \"\": \"", "\xC3\xA4", "\", }"), "trailing comma");
  expect_refused(largest("{\"a\": 1,", "\n", "\"a\": 2}"), "there already");
  expect_refused(largest("", "\n", "x"), "texts stand in double quotes");
}

}  // namespace
}  // namespace sluice::test
