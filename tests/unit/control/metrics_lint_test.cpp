// The reader of metrics that other tests rely on finds what is wrong.
#include "tests/support/metrics_lint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sluice::tests {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kText =
    "# HELP a_total Said \"so\" and \\\\.\n# TYPE a_total counter\na_total{x=\"1\"} 3\n"
    "a_total{x=\"\\\"\\\\\\n\"} 1e+20\n# HELP b What.\n# TYPE b gauge\nb -2.5\n";
constexpr const char* kOpen =
    "# HELP a Said \\\"so\\\".\n# TYPE a counter\na_total{x=\"1\"} 3\n# HELP s Which.\n"
    "# TYPE s info\ns_info{version=\"1\"} 1\n# HELP b What.\n# TYPE b gauge\nb -2.5\n# EOF\n";

TEST(MetricsLint, Right_texts_pass) {
  EXPECT_THAT(lint_metrics(kText, false), IsEmpty());
  EXPECT_THAT(lint_metrics(kOpen, true), IsEmpty());
}

TEST(MetricsLint, Each_kind_of_fault_is_found) {
  const std::vector<std::pair<std::string, std::string>> faults{
      {"b -2.5\n", "b -2,5\n"},
      {"b -2.5\n", "b -2.5"},
      {"b -2.5\n", "b -2.5\nb 1\n"},
      {"b -2.5\n", "b -2.5\na_total{x=\"2\"} 1\n"},
      {"b -2.5\n", "b -2.5\nc 1\n"},
      {"b -2.5\n", "b{x=\"1\",x=\"2\"} 1\n"},
      {"b -2.5\n", "b{x=\"1\"\n"},
      {"b -2.5\n", "b{__x=\"1\"} 1\n"},
      {"b -2.5\n", "b{x=\"\\t\"} 1\n"},
      {"b -2.5\n", "b{x=\"\xFF\"} 1\n"},
      {"b -2.5\n", "b  1\n"},
      {"} 3\n", "} -3\n"},
      {"# TYPE b gauge", "# TYPE b gouge"},
      {"# TYPE b gauge\n", ""},
      {"# HELP b What.\n", ""},
      {"# TYPE b gauge", "# TYPE b counter"},
      {"# HELP b What.\n", "# HELP b What.\n# HELP b What.\n"},
  };
  for (const auto& [right, wrong] : faults) {
    std::string text = kText;
    text.replace(text.find(right), right.size(), wrong);
    EXPECT_THAT(lint_metrics(text, false), Not(IsEmpty())) << text;
  }
  const std::vector<std::pair<std::string, std::string>> open_faults{
      {"# EOF\n", ""},
      {"# EOF\n", "# EOF\nb 1\n"},
      {"# EOF\n", "\n# EOF\n"},
      {"# EOF\n", "# Said.\n# EOF\n"},
      {"a_total{", "a{"},
      {"# HELP a Said \\\"so\\\".", "# HELP a Said \"so\"."},
      {"s_info{version=\"1\"} 1", "s_info{version=\"1\"} 2"},
      {"# HELP b What.\n# TYPE b gauge\nb ", "# HELP a_total A.\n# TYPE a_total gauge\na_total "},
  };
  for (const auto& [right, wrong] : open_faults) {
    std::string text = kOpen;
    text.replace(text.find(right), right.size(), wrong);
    EXPECT_THAT(lint_metrics(text, true), Not(IsEmpty())) << text;
  }
  EXPECT_THAT(lint_metrics(kText, true), Not(IsEmpty()));
  EXPECT_THAT(lint_metrics(kOpen, false), Not(IsEmpty()));
}

}  // namespace
}  // namespace sluice::tests
