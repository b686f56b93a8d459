#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/signal.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMs = 1'000'000;
constexpr sluice_format kStereo16{sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000};

// The other end of a FIFO.
class Reader {
 public:
  explicit Reader(const fs::path& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}
  ~Reader() { leave(); }
  bool is_open() const { return descriptor_ >= 0; }
  void leave() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  void read(size_t most = 1 << 20) {
    std::vector<char> buffer(most);
    const ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
    if (got > 0) bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + got);
  }
  std::vector<int16_t> samples(size_t behind_bytes = 0) const {
    std::vector<int16_t> out((bytes.size() - behind_bytes) / 2);
    std::memcpy(out.data(), bytes.data() + behind_bytes, out.size() * 2);
    return out;
  }
  std::vector<char> bytes;

 private:
  int descriptor_;
};

class SinkPipe : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() /
             ("sluice-pipe-" + std::to_string(::getpid()) + "-" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder);
    path = folder / "fifo";
    sink.set("path", path.string());
  }
  void TearDown() override { fs::remove_all(folder); }

  fs::path folder, path;
  WorkerDriver sink{"sink.pipe"};
};

TEST_F(SinkPipe, Reader_gets_every_frame) {
  ASSERT_TRUE(sink.prepare(kStereo16));
  Reader reader(path);
  ASSERT_TRUE(reader.is_open());
  for (int i = 0; i < 20; ++i) {
    sink.at(i * kMs, [&, i] { sink.feed(counter16(500, static_cast<size_t>(i) * 500)); });
    sink.at(i * kMs + 1, [&] { reader.read(); });
  }
  sink.at(20 * kMs, [&] { sink.end_input(); });
  ASSERT_TRUE(sink.run());
  reader.read();
  EXPECT_EQ(reader.samples(), counter16(10000));
  EXPECT_EQ(sink.counter("frames"), 10000U);
  EXPECT_EQ(sink.counter("readers"), 1U);
  EXPECT_TRUE(sink.violations().empty());
  sink.release();
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(SinkPipe, Without_a_reader_it_waits_and_loses_nothing) {
  ::mkfifo(path.c_str(), 0600);
  ASSERT_TRUE(sink.prepare(kStereo16));
  sink.feed(counter16(3000));
  sink.end_input();
  std::unique_ptr<Reader> reader;
  sink.at(5000 * kMs, [&] {
    EXPECT_EQ(sink.frames_read(), 0U);
    EXPECT_EQ(sink.state(), SLUICE_STATE_WAITING);
    reader = std::make_unique<Reader>(path);
  });
  ASSERT_TRUE(sink.run());
  ASSERT_TRUE(reader);
  reader->read();
  EXPECT_EQ(reader->samples(), counter16(3000));
  sink.release();
  EXPECT_TRUE(fs::exists(path));  // was there before
}

TEST_F(SinkPipe, Stop_ends_it_while_nobody_reads) {
  ASSERT_TRUE(sink.prepare(kStereo16));
  sink.feed(counter16(3000));
  sink.stop_at(700 * kMs);
  ASSERT_TRUE(sink.run());
  EXPECT_EQ(sink.counter("readers"), 0U);
}

TEST_F(SinkPipe, Stop_ends_it_while_the_pipe_is_full) {
  ASSERT_TRUE(sink.prepare(kStereo16));
  Reader reader(path);
  sink.feed(counter16(100000));
  sink.stop_at(700 * kMs);
  ASSERT_TRUE(sink.run());
  EXPECT_GT(sink.counter("bytes"), 0U);
  EXPECT_LT(sink.frames_read(), 100000U);
}

TEST_F(SinkPipe, Next_reader_begins_at_a_whole_frame) {
  ASSERT_TRUE(sink.prepare(kStereo16));
  Reader first(path);
  auto second = std::make_unique<Reader>(folder / "nothing");
  sink.feed(counter16(30000));
  // Makes room for half a page more, then leaves: a frame is cut somewhere.
  sink.at(1 * kMs, [&] { first.read(4096 + 2049); });
  sink.at(2 * kMs, [&] { first.leave(); });
  sink.at(500 * kMs, [&] { second = std::make_unique<Reader>(path); });
  for (int i = 0; i < 40; ++i) sink.at((600 + i) * kMs, [&] { second->read(); });
  sink.at(620 * kMs, [&] { sink.end_input(); });
  ASSERT_TRUE(sink.run());
  second->read();
  const auto heard = second->samples();
  ASSERT_GT(heard.size(), 1000U);
  ASSERT_EQ(heard.size() % 2, 0U);
  EXPECT_EQ(heard[0] % 2, 0);
  const auto begin = static_cast<size_t>(static_cast<uint16_t>(heard[0])) / 2;
  EXPECT_EQ(heard, counter16(30000 - begin, begin));
  EXPECT_EQ(sink.counter("readers"), 2U);
}

TEST_F(SinkPipe, Dropping_lets_the_next_reader_hear_what_is_new) {
  sink.set("without_reader", "drop");
  ASSERT_TRUE(sink.prepare(kStereo16));
  std::unique_ptr<Reader> reader;
  for (int i = 0; i < 100; ++i) {
    sink.at(i * 10 * kMs, [&, i] { sink.feed(counter16(10, static_cast<size_t>(i) * 10)); });
  }
  sink.at(500 * kMs + 1, [&] { reader = std::make_unique<Reader>(path); });
  sink.at(1000 * kMs, [&] { sink.end_input(); });
  ASSERT_TRUE(sink.run());
  reader->read();
  const auto heard = reader->samples();
  ASSERT_FALSE(heard.empty());
  EXPECT_NEAR(heard.front(), 2 * 500, 2 * 110);
  EXPECT_EQ(heard.back(), counter16(1000).back());
  EXPECT_EQ(sink.counter("dropped_frames") + sink.counter("frames"), 1000U);
}

TEST_F(SinkPipe, Wav_header_comes_first_for_every_reader) {
  sink.set("header", "wav");
  ASSERT_TRUE(sink.prepare(kStereo16));
  Reader reader(path);
  sink.feed(counter16(100));
  sink.end_input();
  ASSERT_TRUE(sink.run());
  reader.read();
  ASSERT_GT(reader.bytes.size(), 44U);
  EXPECT_EQ(std::string(reader.bytes.data(), 4), "RIFF");
  EXPECT_EQ(std::string(reader.bytes.data() + 8, 8), "WAVEfmt ");
  EXPECT_EQ(std::string(reader.bytes.data() + 36, 4), "data");
  uint32_t rate_hz = 0;
  std::memcpy(&rate_hz, reader.bytes.data() + 24, 4);
  EXPECT_EQ(rate_hz, 48000U);
  EXPECT_EQ(reader.samples(44), counter16(100));
}

TEST_F(SinkPipe, File_that_is_no_pipe_is_refused) {
  std::ofstream(path) << "something";
  const auto prepared = sink.prepare(kStereo16);
  ASSERT_FALSE(prepared);
  EXPECT_NE(prepared.error().message.find("is no FIFO"), std::string::npos);
}

}  // namespace
}  // namespace sluice::tests
