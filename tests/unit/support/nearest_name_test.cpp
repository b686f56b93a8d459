#include "host/support/nearest_name.hpp"

#include <gtest/gtest.h>

namespace sluice::support {
namespace {

TEST(EditDistance, of_one_edit_is_one_for_each_kind) {
  EXPECT_EQ(edit_distance("gate", "gates", 3), 1u);
  EXPECT_EQ(edit_distance("gate", "ate", 3), 1u);
  EXPECT_EQ(edit_distance("gate", "gale", 3), 1u);
  EXPECT_EQ(edit_distance("gate", "gaet", 3), 1u);
}

TEST(EditDistance, of_a_part_edited_twice_counts_both) {
  // Unrestricted Damerau-Levenshtein would be 2.
  EXPECT_EQ(edit_distance("ca", "abc", 3), 3u);
}

TEST(EditDistance, beyond_the_limit_is_limit_plus_one) {
  EXPECT_EQ(edit_distance("gain", "convert", 2), 3u);
  EXPECT_EQ(edit_distance("aaaaaaaaaa", "bbbbbbbbbb", 2), 3u);
  EXPECT_EQ(edit_distance("", "abcdef", 3), 4u);
}

TEST(EditDistance, of_upper_and_lower_case_is_zero) {
  EXPECT_EQ(edit_distance("Filter.GATE", "filter.gate", 3), 0u);
}

TEST(EditDistance, of_a_swap_at_the_limit_is_not_cut_off) {
  // Every cell of the row in the middle of the swap is above the limit.
  EXPECT_EQ(edit_distance("ab", "ba", 1), 1u);
  EXPECT_EQ(edit_distance("xab", "xba", 1), 1u);
}

TEST(NearestName, of_the_beginning_of_one_alone_is_that) {
  EXPECT_EQ(nearest_name("level", {"wave", "level_db"}), "level_db");
  EXPECT_EQ(nearest_name("lev", {"wave", "level_db"}), "") << "no whole word";
  EXPECT_EQ(nearest_name("lateness", {"lateness_p50_us", "lateness_p99_us"}), "") << "two";
}

TEST(NearestName, of_a_misspelling_is_the_nearest) {
  const std::vector<std::string_view> types = {"filter.gain", "filter.gate", "sink.wav"};
  EXPECT_EQ(nearest_name("filter.gat", types), "filter.gate");
  EXPECT_EQ(nearest_name("filter.gian", types), "filter.gain");
  EXPECT_EQ(nearest_name("sink.wave", types), "sink.wav");
}

TEST(NearestName, of_something_else_is_empty) {
  const std::vector<std::string_view> types = {"filter.gain", "sink.wav"};
  EXPECT_EQ(nearest_name("source.tone", types), "");
  EXPECT_EQ(nearest_name("ab", {"cd"}), "");
  EXPECT_EQ(nearest_name("anything", {}), "");
}

TEST(NearestName, of_equally_near_is_the_first) {
  EXPECT_EQ(nearest_name("gat", {"gate", "gats"}), "gate");
}

TEST(NearestName, of_hostile_size_is_empty) {
  const std::string large(100'000, 'a');
  EXPECT_EQ(nearest_name(large, {large}), "");
  EXPECT_EQ(nearest_name("gate", {large, "gates"}), "gates");
  EXPECT_EQ(nearest_name("gate", std::vector<std::string_view>(5000, "gates")), "");
}

TEST(DidYouMean, with_and_without_a_near_name_is_a_clause_or_nothing) {
  EXPECT_EQ(did_you_mean("gat", {"gate"}), "; did you mean \"gate\"?");
  EXPECT_EQ(did_you_mean("convert", {"gate"}), "");
}

TEST(Joined, of_none_to_three_reads_as_a_list) {
  EXPECT_EQ(joined({}, "or"), "");
  EXPECT_EQ(joined({"a"}, "or"), "a");
  EXPECT_EQ(joined({"a", "b"}, "or"), "a or b");
  EXPECT_EQ(joined({"a", "b", "c"}, "and"), "a, b and c");
}

}  // namespace
}  // namespace sluice::support
