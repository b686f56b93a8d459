// sink.compare: what it says of a stream that came back other than it set out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>

#include "tests/integration/cli_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::HasSubstr;

class Compare : public Cli {
 protected:
  // 4 s of noise in s16, the way it set out, and what `change` made of it.
  template <typename Change>
  std::string sentence(Change change) {
    std::vector<int> samples = int_noise(192'000, 16);
    for (int& sample : samples) sample |= 1 << 17;
    const int kind = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    write_sound(work_ / "sent.wav", kind, 1, 48000, samples);
    change(samples);
    write_sound(work_ / "came.wav", kind, 1, 48000, samples);
    write(work_ / "graph.json", R"({
      "sluice": 1,
      "nodes": {
        "sent": {"type": "source.wav", "params": {"path": "sent.wav"}},
        "came": {"type": "source.wav", "params": {"path": "came.wav"}},
        "compare": "sink.compare"
      },
      "edges": ["sent -> compare.reference", "came -> compare.received"]
    })");
    return sluice({"render", "graph.json"}).err;
  }
};

TEST_F(Compare, Same_frames_are_bit_exact) {
  EXPECT_THAT(sentence([](auto&) {}), HasSubstr("192000 frames arrived, bit-exact, none lost"));
}

TEST_F(Compare, Lost_frames_are_counted_and_the_rest_is_in_step) {
  EXPECT_THAT(sentence([](auto& samples) {
                samples.erase(samples.begin() + 50'000, samples.begin() + 51'000);
              }),
              HasSubstr("191000 frames arrived, 0 of them changed, 1000 lost"));
}

TEST_F(Compare, Changed_frames_are_counted_one_by_one) {
  EXPECT_THAT(sentence([](auto& samples) {
                for (const size_t at : {1000u, 1001u, 90'000u}) samples[at] ^= 1 << 16;
              }),
              HasSubstr("192000 frames arrived, 3 of them changed, 0 lost"));
}

// 3 s that are nowhere in the reference: each frame of it could be looked for in all that follows.
TEST_F(Compare, Long_silence_in_place_of_lost_frames_is_passed_quickly) {
  EXPECT_THAT(sentence([](auto& samples) {
                std::fill(samples.begin() + 20'000, samples.begin() + 164'000, 0);
              }),
              HasSubstr("192000 frames arrived, 144000 of them changed, 0 lost"));
}

}  // namespace
}  // namespace sluice::tests
