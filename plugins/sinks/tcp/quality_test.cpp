#include "plugins/sinks/tcp/quality.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

constexpr int64_t kS = 1'000'000'000;

TEST(Quality, Nothing_wrong_is_a_hundred) {
  const Quality quality;
  EXPECT_EQ(quality.value(0, 0, 1), 100);
  EXPECT_EQ(quality.value(0, 0, 1.5), 100);
}

TEST(Quality, Every_term_moves_it_and_has_its_limit) {
  Quality quality;
  EXPECT_EQ(quality.value(0, 10, 1), 75);
  EXPECT_EQ(quality.value(0, 20, 1), 50);
  EXPECT_EQ(quality.value(0, 500, 1), 50);
  EXPECT_EQ(quality.value(0, 0, 0.8), 100);
  EXPECT_EQ(quality.value(0, 0, 0.4), 85);
  EXPECT_EQ(quality.value(0, 0, 0), 70);
  EXPECT_EQ(quality.value(0, 0, -3), 70);
  for (int troubles = 1; troubles <= 5; ++troubles) {
    quality.note_trouble(troubles);
    EXPECT_EQ(quality.value(10, 0, 1), 100 - 4 * troubles);
  }
  quality.note_trouble(6);
  EXPECT_EQ(quality.value(10, 0, 1), 80);
  EXPECT_EQ(quality.value(10, 500, -1), 0);
}

TEST(Quality, Trouble_is_forgotten_after_a_minute) {
  Quality quality;
  quality.note_trouble(0);
  EXPECT_EQ(quality.value(60 * kS - 1, 0, 1), 96);
  EXPECT_EQ(quality.value(60 * kS, 0, 1), 100);
}

TEST(Quality, Words_are_those_of_the_bands) {
  EXPECT_STREQ(Quality::word(90), "excellent");
  EXPECT_STREQ(Quality::word(89), "good");
  EXPECT_STREQ(Quality::word(69), "fair");
  EXPECT_STREQ(Quality::word(49), "poor");
  EXPECT_STREQ(Quality::jitter_word(4.9), "excellent");
  EXPECT_STREQ(Quality::jitter_word(5), "good");
  EXPECT_STREQ(Quality::jitter_word(15), "fair");
  EXPECT_STREQ(Quality::jitter_word(51), "poor");
}

TEST(Jitter, Is_the_first_value_and_then_a_tenth_of_each_new_one) {
  Jitter jitter;
  EXPECT_EQ(jitter.ms(), 0);
  jitter.add(10'000'000);
  EXPECT_DOUBLE_EQ(jitter.ms(), 10);
  jitter.add(0);
  EXPECT_DOUBLE_EQ(jitter.ms(), 9);
  jitter.add(19'000'000);
  EXPECT_DOUBLE_EQ(jitter.ms(), 10);
}

}  // namespace
}  // namespace sluice
