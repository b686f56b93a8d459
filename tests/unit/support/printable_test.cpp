#include "host/support/printable.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sluice::support {
namespace {

TEST(Printable, text_stays_as_it_is) {
  EXPECT_EQ(printable("Der Pegel ist −3 dB, größer als 😀"), "Der Pegel ist −3 dB, größer als 😀");
}

TEST(Printable, control_characters_become_visible) {
  EXPECT_EQ(printable("a\nb\tc\r"), "a\\nb\\tc\\r");
  EXPECT_EQ(printable("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\\x9b2J");  // CSI as one C1 character
}

TEST(Printable, change_of_direction_becomes_visible) {
  EXPECT_EQ(printable("a\u202Eb"), "a\\u{202e}b");
}

TEST(Printable, broken_utf8_becomes_visible) {
  EXPECT_EQ(printable("\xFF"), "\\xff");
  EXPECT_EQ(printable("\xC3"), "\\xc3");                             // cut off
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past U+10FFFF
  EXPECT_EQ(printable("\xE2\x82g"), "\\xe2\\x82g");
}

TEST(Printable, long_text_is_cut_between_characters) {
  EXPECT_EQ(printable("äöüäöü", 8), "äö...");
  EXPECT_EQ(printable("äöüä", 8), "äöüä");
  EXPECT_EQ(printable("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(printable("abcdefghi", 8), "abcde...");
  EXPECT_EQ(printable("abc", 2), "..");
}

TEST(Printable, random_bytes_are_always_valid_and_bounded) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string text = printable(bytes, 50);
    ASSERT_LE(text.size(), 50u);
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t length = utf8_length(rest);
      ASSERT_NE(length, 0u);
      ASSERT_GE(static_cast<unsigned char>(rest[0]), 0x20);
      rest.remove_prefix(length);
    }
  }
}

TEST(Utf8Prefix, inside_a_character_ends_before_it) {
  EXPECT_EQ(utf8_prefix("aä", 2), "a");
  EXPECT_EQ(utf8_prefix("aä", 3), "aä");
  EXPECT_EQ(utf8_prefix("😀", 3), "");
}

}  // namespace
}  // namespace sluice::support
