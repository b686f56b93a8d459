// source.tcp in virtual time, with WAV headers in front of the audio.
#include "plugins/sources/tcp/source_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using namespace std::string_literals;

using SourceTcp = SourceTcpFixture;

std::string number(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

struct WavHeader {
  uint16_t tag = 1;
  uint16_t channels = 2;
  uint32_t rate_hz = 48000;
  uint16_t bits = 16;
  std::string riff = "RIFF";
  std::string before_data;  // further chunks

  std::string text(uint32_t data_bytes) const {
    const auto block = static_cast<uint16_t>(channels * bits / 8);
    std::string format = number(tag == 0xfffe ? 0xfffe : tag, 2) + number(channels, 2) +
                         number(rate_hz, 4) + number(rate_hz * block, 4) + number(block, 2) +
                         number(bits, 2);
    if (tag == 0xfffe) {
      format += number(22, 2) + number(bits, 2) + number(3, 4) + number(1, 2) +
                std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
    }
    return riff + number(0xffffffff, 4) + "WAVE" + before_data + "fmt " + number(format.size(), 4) +
           format + "data" + number(data_bytes, 4);
  }
};

TEST_F(SourceTcp, Wav_header_in_pieces_of_one_byte_only_audio_comes_out) {
  node_.set("header", "wav");
  const auto samples = counted(0, 100);
  send_in_pieces(WavHeader{}.text(400) + bytes_of(samples), 1);
  run();
  EXPECT_EQ(node_.written<int16_t>(), samples);
}

TEST_F(SourceTcp, Wav_other_chunks_around_the_audio_are_skipped) {
  node_.set("header", "wav");
  WavHeader header;
  header.before_data = "JUNK" + number(5, 4) + "12345\0"s + "bext" + number(4, 4) + "abcd";
  const auto samples = counted(0, 100);
  send_in_pieces(header.text(400) + bytes_of(samples) + "LIST" + number(6, 4) + "noise!", 11);
  run();
  EXPECT_EQ(node_.written<int16_t>(), samples);
}

TEST_F(SourceTcp, Wav_unknown_sizes_mean_until_the_end) {
  for (const uint32_t size : {0u, 0x7ffff000u, 0x80000000u, 0xffffffffu}) {
    WorkerDriver node("source.tcp");
    SendingPeer sender(node);
    node.set("header", "wav");
    node.set("until", "first-sender");
    ASSERT_TRUE(node.prepare(kFormat));
    sender.connect();
    sender.push(WavHeader{}.text(size));
    sender.push(counted(0, 100));
    sender.finish();
    ASSERT_TRUE(node.run());
    EXPECT_EQ(node.written<int16_t>(), counted(0, 100)) << size;
  }
}

TEST_F(SourceTcp, Wav_rf64_takes_the_size_from_its_ds64_chunk) {
  node_.set("header", "wav");
  WavHeader header;
  header.riff = "RF64";
  header.before_data =
      "ds64" + number(28, 4) + number(0, 8) + number(400, 8) + number(100, 8) + number(0, 4);
  send_in_pieces(
      header.text(0xffffffff) + bytes_of(counted(0, 100)) + "LIST" + number(4, 4) + "junk", 13);
  run();
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 100));
}

TEST_F(SourceTcp, Wav_extensible_is_understood) {
  node_.set("header", "auto");
  WavHeader header;
  header.tag = 0xfffe;
  send_in_pieces(header.text(400) + bytes_of(counted(0, 100)), 17);
  run();
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 100));
}

TEST_F(SourceTcp, Wav_two_files_in_a_row_both_play) {
  node_.set("header", "wav");
  // The first one ends in mid-frame: that frame is cut, not continued by the second.
  const std::string one = WavHeader{}.text(403) + bytes_of(counted(0, 100)) + "abc\0"s;
  const std::string two = WavHeader{}.text(400) + bytes_of(counted(100, 100));
  send_in_pieces(one + two, 29);
  run();
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 200));
  EXPECT_EQ(node_.counter("cut_frames"), 1u);
}

TEST_F(SourceTcp, Wav_of_another_format_is_refused_by_a_sentence) {
  node_.set("header", "auto");
  WavHeader header;
  header.rate_hz = 44100;
  header.channels = 1;
  node_.at(0, [&] { sender_.connect(); });
  sender_.push(header.text(400) + std::string(400, 'x'));
  node_.at(10 * kMs, [&] { EXPECT_TRUE(sender_.was_dropped()); });
  node_.at(20 * kMs, [&] { second_.connect(); });
  node_.at(30 * kMs, [&] { second_.push(WavHeader{}.text(400) + bytes_of(counted(0, 100))); });
  node_.stop_at(50 * kMs);
  run();
  EXPECT_THAT(node_.log_lines(),
              Contains("The sender at 127.0.0.1 sends s16, 44100 Hz, 1 channel, but s16, 48000 Hz, "
                       "2 channels is expected: set `format`, `rate_hz` and `channels` alike, or "
                       "change the sender."));
  EXPECT_EQ(node_.counter("refused"), 1u);
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 100));
}

TEST_F(SourceTcp, Wav_required_but_raw_samples_come_is_refused) {
  node_.set("header", "wav");
  node_.at(0, [&] { sender_.connect(); });
  sender_.push(counted(0, 100));
  node_.stop_at(20 * kMs);
  run();
  EXPECT_EQ(node_.frames_written(), 0u);
  EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("sends no WAV header")));
}

TEST_F(SourceTcp, Wav_broken_headers_are_refused) {
  WavHeader eight_bit;
  eight_bit.bits = 8;
  WavHeader adpcm;
  adpcm.tag = 2;
  WavHeader no_channels;
  no_channels.channels = 0;
  std::string wrong_block = WavHeader{}.text(400);
  wrong_block[32] = 9;
  const std::string no_format = "RIFF" + number(100, 4) + "WAVEdata" + number(4, 4) + "abcd";
  const std::string short_format = "RIFF" + number(100, 4) + "WAVEfmt " + number(4, 4) + "abcd";
  for (const std::string& header :
       {eight_bit.text(400), adpcm.text(400), no_channels.text(400), wrong_block, no_format,
        short_format, "RIFF" + number(100, 4) + "AVI more"}) {
    WorkerDriver node("source.tcp");
    SendingPeer sender(node);
    node.set("header", "wav");
    ASSERT_TRUE(node.prepare(kFormat));
    sender.connect();
    sender.push(header + std::string(100, 'x'));
    node.stop_at(20 * kMs);
    ASSERT_TRUE(node.run());
    EXPECT_EQ(node.counter("refused"), 1u);
    EXPECT_EQ(node.frames_written(), 0u);
    EXPECT_TRUE(sender.was_dropped());
  }
}

TEST_F(SourceTcp, Auto_raw_samples_that_begin_like_a_header_are_played) {
  node_.set("header", "auto");
  const std::string bytes = "RIFFabcdNOPE1234";
  send_in_pieces(bytes, 1);
  run();
  EXPECT_EQ(node_.written_bytes().size(), bytes.size());
  EXPECT_EQ(std::memcmp(node_.written_bytes().data(), bytes.data(), bytes.size()), 0);
}

TEST_F(SourceTcp, Auto_fewer_bytes_than_a_header_are_played) {
  node_.set("header", "auto");
  send_in_pieces("RIFFabcd", 3);
  run();
  EXPECT_EQ(node_.written_bytes().size(), 8u);
}

}  // namespace
}  // namespace sluice::tests
