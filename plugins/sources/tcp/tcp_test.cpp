// source.tcp in virtual time, with senders of every manner.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "tests/support/net_peers.hpp"

namespace sluice::tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::string_literals;

constexpr sluice_format kFormat{sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000};
constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000'000'000;

// Frame n holds n and -n.
std::vector<int16_t> counted(int from, int count) {
  std::vector<int16_t> samples;
  for (int i = from; i < from + count; ++i) {
    samples.push_back(static_cast<int16_t>(i));
    samples.push_back(static_cast<int16_t>(-i));
  }
  return samples;
}

std::string bytes_of(const std::vector<int16_t>& samples) {
  return {reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(int16_t)};
}

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

class SourceTcp : public ::testing::Test {
 protected:
  void run() {
    ASSERT_TRUE(node_.prepare(kFormat));
    const support::Status status = node_.run();
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_THAT(node_.violations(), IsEmpty());
  }
  // Sends `bytes` cut into pieces of `piece` bytes, 1 ms apart, and leaves.
  void send_in_pieces(const std::string& bytes, size_t piece) {
    node_.at(kMs, [this] { sender_.connect(); });
    int64_t time_ns = kMs;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      node_.at(time_ns += kMs, [this, part = bytes.substr(at, piece)] { sender_.push(part); });
    }
    node_.at(time_ns += kMs, [this] { sender_.finish(); });
    node_.set("until", "first-sender");
  }
  std::vector<uint32_t> mark_kinds() const {
    std::vector<uint32_t> kinds;
    for (const sluice_mark& mark : node_.marks()) kinds.push_back(mark.kind);
    return kinds;
  }

  WorkerDriver node_{"source.tcp"};
  SendingPeer sender_{node_}, second_{node_};
};

TEST_F(SourceTcp, Describe_says_the_format_and_a_remote_live_clock) {
  node_.set("format", "s24");
  node_.set("rate_hz", 44100);
  node_.set("channels", 6);
  const auto description = node_.describe();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->clock, uint32_t{SLUICE_CLOCK_REMOTE});
  EXPECT_TRUE(description->flags & SLUICE_PORT_LIVE);
  ASSERT_EQ(description->offers.size(), 1u);
  EXPECT_EQ(description->offers[0].sample_formats, SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S24));
  EXPECT_EQ(description->offers[0].rate_hz_minimum, 44100u);
  EXPECT_EQ(description->offers[0].channels_maximum, 6u);
}

TEST_F(SourceTcp, Raw_bytes_in_odd_pieces_come_out_as_whole_frames) {
  for (const size_t piece : {1u, 3u, 7u, 1001u}) {
    WorkerDriver node("source.tcp");
    SendingPeer sender(node);
    node.set("until", "first-sender");
    ASSERT_TRUE(node.prepare(kFormat));
    const auto samples = counted(0, 500);
    const std::string bytes = bytes_of(samples);
    sender.connect();
    int64_t time_ns = 0;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      node.at(time_ns += kMs, [&, part = bytes.substr(at, piece)] { sender.push(part); });
    }
    node.at(time_ns += kMs, [&] { sender.finish(); });
    ASSERT_TRUE(node.run());
    EXPECT_EQ(node.written<int16_t>(), samples);
    EXPECT_EQ(node.counter("frames"), 500u);
    EXPECT_EQ(node.counter("bytes"), bytes.size());
    EXPECT_EQ(node.counter("cut_frames"), 0u);
    EXPECT_THAT(node.violations(), IsEmpty());
  }
}

TEST_F(SourceTcp, Capture_time_is_the_arrival) {
  node_.set("until", "first-sender");
  std::vector<int64_t> times;
  node_.on_write([&](const WorkerDriver::Write& write) { times.push_back(write.capture_ns); });
  node_.at(0, [&] { sender_.connect(); });
  node_.at(20 * kMs, [&] { sender_.push(counted(0, 10)); });
  node_.at(35 * kMs, [&] { sender_.push(counted(10, 10)); });
  node_.at(50 * kMs, [&] { sender_.finish(); });
  run();
  EXPECT_THAT(times, ElementsAre(20 * kMs, 35 * kMs));
}

// Pushes 480 frames at a time for `seconds`, by a clock that runs `ppm` fast, each up to 4 ms late
// on its way.
void send_paced(WorkerDriver& node, SendingPeer& sender, int64_t start_ns, int seconds,
                double ppm) {
  uint32_t random = 1;
  for (int64_t i = 0; i < seconds * int64_t{100}; ++i) {
    random = random * 1664525 + 1013904223;
    const auto due_ns = static_cast<int64_t>(static_cast<double>(i * 10 * kMs) / (1 + ppm * 1e-6));
    node.at(start_ns + due_ns + random % (4 * kMs), [&] { sender.push(counted(0, 480)); });
  }
}

TEST_F(SourceTcp, Clock_of_a_paced_sender_is_published_every_second) {
  constexpr double kPpm = 150;
  node_.at(0, [&] { sender_.connect(); });
  send_paced(node_, sender_, 500 * kMs, 120, kPpm);
  node_.stop_at(121 * kS);
  run();
  const auto& readings = node_.clock_readings();
  EXPECT_NEAR(static_cast<double>(readings.size()), 119, 3);
  for (size_t i = 0; i < readings.size(); ++i) {
    const WorkerDriver::ClockReading& reading = readings[i];
    EXPECT_EQ(reading.port, 0u);
    if (i < 40) continue;
    EXPECT_NEAR((reading.ratio - 1) * 1e6, kPpm, 20) << i;
    const double sent_s = static_cast<double>(reading.monotonic_ns - 500 * kMs) / 1e9;
    EXPECT_NEAR(reading.frames - 480, sent_s * 48000 * (1 + kPpm * 1e-6), 48) << i;
  }
  EXPECT_NEAR(node_.gauge("drift_ppm"), kPpm, 20);
}

TEST_F(SourceTcp, Clock_of_the_next_sender_begins_anew) {
  node_.at(0, [&] { sender_.connect(); });
  send_paced(node_, sender_, 500 * kMs, 30, 300);
  node_.at(31 * kS, [&] { sender_.finish(); });
  node_.at(40 * kS, [&] { second_.connect(); });
  send_paced(node_, second_, 40 * kS + 500 * kMs, 60, -200);
  node_.stop_at(101 * kS);
  run();
  EXPECT_NEAR((node_.clock_readings().back().ratio - 1) * 1e6, -200, 20);
}

TEST_F(SourceTcp, Sender_without_a_pace_has_no_clock) {
  node_.set("until", "first-sender");
  node_.network().set_path("127.0.0.1", {.bytes_per_s = 1'000'000});
  node_.at(0, [&] { sender_.connect(); });
  node_.at(kMs, [&] {
    for (int i = 0; i < 100; ++i) sender_.push(counted(0, 20000));
    sender_.finish();
  });
  run();
  EXPECT_EQ(node_.counter("frames"), 2'000'000u);
  EXPECT_THAT(node_.clock_readings(), IsEmpty());
  EXPECT_EQ(node_.gauge("drift_ppm"), 0);
}

TEST_F(SourceTcp, Connection_cut_in_mid_frame_the_next_sender_keeps_its_channels) {
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { sender_.push(bytes_of(counted(0, 10)) + "xyz"); });
  node_.at(20 * kMs, [&] { sender_.close(true); });
  node_.at(30 * kMs, [&] { second_.connect(); });
  node_.at(40 * kMs, [&] { second_.push(counted(10, 10)); });
  node_.stop_at(50 * kMs);
  run();
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 20));
  EXPECT_EQ(node_.counter("cut_frames"), 1u);
  EXPECT_EQ(node_.counter("connections"), 2u);
  EXPECT_THAT(mark_kinds(), ElementsAre(SLUICE_MARK_SILENCE_BEGINS, SLUICE_MARK_SILENCE_ENDS,
                                        SLUICE_MARK_SILENCE_BEGINS, SLUICE_MARK_SILENCE_ENDS,
                                        SLUICE_MARK_DISCONTINUITY));
  EXPECT_EQ(node_.marks()[0].position, 0u);
  EXPECT_EQ(node_.marks()[1].position, 0u);
  EXPECT_EQ(node_.marks()[2].position, 10u);
  EXPECT_EQ(node_.marks()[4].position, 10u);
}

TEST_F(SourceTcp, Newer_sender_wins_over_a_half_open_one) {
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { sender_.push(counted(0, 10)); });
  // The first one vanishes: no byte, no end.
  node_.at(kS, [&] { second_.connect(); });
  node_.at(kS + 10 * kMs, [&] { second_.push(counted(10, 10)); });
  node_.at(kS + 11 * kMs, [&] {
    EXPECT_EQ(node_.frames_written(), 20u);
    EXPECT_TRUE(sender_.was_dropped());
    EXPECT_FALSE(second_.was_dropped());
  });
  node_.stop_at(kS + 20 * kMs);
  run();
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 20));
  EXPECT_EQ(node_.counter("peer_changes"), 1u);
}

TEST_F(SourceTcp, Newer_sender_wins_over_one_that_sends_without_a_pause) {
  node_.at(0, [&] { sender_.connect(); });
  node_.on_write([&](const WorkerDriver::Write&) {
    if (sender_.has_sent_all() && !sender_.was_dropped()) sender_.push(counted(0, 5000));
  });
  sender_.push(counted(0, 5000));
  node_.network().set_path("127.0.0.1", {.bytes_per_s = 10'000'000});
  node_.at(100 * kMs, [&] { second_.connect(); });
  node_.at(400 * kMs, [&] {
    EXPECT_TRUE(sender_.was_dropped());
    EXPECT_FALSE(second_.was_dropped());
  });
  node_.stop_at(500 * kMs);
  run();
  EXPECT_EQ(node_.counter("peer_changes"), 1u);
}

TEST_F(SourceTcp, Old_sender_has_left_before_the_new_one_its_tail_is_still_played) {
  node_.set_capacity(1000);
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] {
    sender_.push(counted(0, 3000));
    sender_.finish();
  });
  node_.at(20 * kMs, [&] { second_.connect(); });
  node_.at(20 * kMs, [&] { second_.push(counted(3000, 1000)); });
  node_.stop_at(500 * kMs);
  std::vector<int16_t> all;
  node_.on_write([&](const WorkerDriver::Write& write) {
    const auto* samples = reinterpret_cast<const int16_t*>(write.data.data());
    all.insert(all.end(), samples, samples + write.frames * 2);
    node_.at(node_.now_ns() + 10 * kMs, [this, frames = write.frames] { node_.take(frames); });
  });
  ASSERT_TRUE(node_.prepare(kFormat));
  ASSERT_TRUE(node_.run());
  EXPECT_EQ(all, counted(0, 4000));
}

TEST_F(SourceTcp, Several_newcomers_at_once_the_last_one_plays) {
  SendingPeer third(node_);
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { second_.connect(), third.connect(); });
  node_.at(20 * kMs, [&] { third.push(counted(0, 10)); });
  node_.stop_at(30 * kMs);
  run();
  EXPECT_TRUE(second_.was_dropped());
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 10));
  EXPECT_EQ(node_.counter("peer_changes"), 2u);
}

TEST_F(SourceTcp, Reader_falls_behind_the_sender_is_held_back_and_nothing_is_lost) {
  node_.set("until", "first-sender");
  node_.set_capacity(2000);
  node_.network().set_path("127.0.0.1", {.window_bytes = 4096});
  const auto samples = counted(0, 30'000);
  node_.at(0, [&] { sender_.connect(); });
  sender_.push(samples);
  sender_.finish();
  std::vector<int16_t> all;
  node_.on_write([&](const WorkerDriver::Write& write) {
    const auto* written = reinterpret_cast<const int16_t*>(write.data.data());
    all.insert(all.end(), written, written + write.frames * 2);
    node_.at(node_.now_ns() + 20 * kMs, [this, frames = write.frames] { node_.take(frames); });
  });
  run();
  EXPECT_EQ(all, samples);
  EXPECT_EQ(node_.frames_dropped(), 0u);
  EXPECT_GT(node_.now_ns(), 100 * kMs);
}

TEST_F(SourceTcp, Until_first_sender_ignores_one_that_sent_nothing) {
  node_.set("until", "first-sender");
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { sender_.close(); });
  node_.at(20 * kMs, [&] { second_.connect(); });
  node_.at(30 * kMs, [&] { second_.push(counted(0, 10)); });
  node_.at(40 * kMs, [&] { second_.close(); });
  run();
  EXPECT_EQ(node_.now_ns(), 40 * kMs);
  EXPECT_EQ(node_.frames_written(), 10u);
}

TEST_F(SourceTcp, Listen_on_a_port_in_use_fails_in_prepare) {
  SendingPeer other(node_);
  ReceivingPeer server(node_);
  server.listen();
  const support::Status status = node_.prepare(kFormat);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("Port 4953 is in use"));
}

TEST_F(SourceTcp, Connect_without_a_host_says_what_to_do) {
  node_.set("mode", "connect");
  EXPECT_FALSE(node_.describe());
}

TEST_F(SourceTcp, Connect_reads_from_a_server_and_comes_back_when_it_left) {
  node_.set("mode", "connect");
  node_.set("host", "127.0.0.1");
  ReceivingPeer server(node_);
  node_.at(kS, [&] { server.listen(); });
  int sessions = 0;
  for (int64_t ms = 1000; ms < 60'000; ms += 100) {
    node_.at(ms * kMs, [&] {
      if (!server.is_connected()) return;
      server.send(bytes_of(counted(10 * sessions, 10)));
      if (++sessions < 3) server.close();
    });
  }
  node_.stop_at(60 * kS);
  run();
  EXPECT_GE(sessions, 3);
  auto samples = node_.written<int16_t>();
  samples.resize(60);
  EXPECT_EQ(samples, counted(0, 30));
  EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("Nothing listens on 127.0.0.1:4953")));
}

TEST_F(SourceTcp, Log_a_sender_that_comes_and_goes_is_named_without_its_port) {
  for (int i = 0; i < 5; ++i) {
    node_.at((10 + 20 * i) * kMs, [&] { sender_.connect(); });
    node_.at((20 + 20 * i) * kMs, [&] { sender_.close(); });
  }
  node_.stop_at(200 * kMs);
  run();
  for (const std::string& line : node_.log_lines()) {
    EXPECT_THAT(
        line, ::testing::AnyOf("Waiting for a sender on port 4953.", "Receiving from 127.0.0.1."));
  }
}

// ---- Headers ----

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
