#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

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
class Writer {
 public:
  explicit Writer(const fs::path& path)
      : descriptor_(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) {
    EXPECT_GE(descriptor_, 0) << "nobody reads";
  }
  ~Writer() { leave(); }
  void leave() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  void write(const std::vector<int16_t>& samples, size_t cut_bytes = 0) {
    const size_t bytes = samples.size() * 2 - cut_bytes;
    EXPECT_EQ(::write(descriptor_, samples.data(), bytes), static_cast<ssize_t>(bytes));
  }

 private:
  int descriptor_;
};

class SourcePipe : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() /
             ("sluice-pipe-" + std::to_string(::getpid()) + "-" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder);
    path = folder / "fifo";
    ::mkfifo(path.c_str(), 0600);
    source.set("path", path.string());
  }
  void TearDown() override { fs::remove_all(folder); }

  fs::path folder, path;
  WorkerDriver source{"source.pipe"};
};

TEST_F(SourcePipe, Writer_is_heard_whole) {
  source.set("until", "first-writer");
  ASSERT_TRUE(source.prepare(kStereo16));
  std::unique_ptr<Writer> writer;
  source.at(100 * kMs, [&] {
    EXPECT_EQ(source.state(), SLUICE_STATE_WAITING);
    writer = std::make_unique<Writer>(path);
  });
  for (int i = 0; i < 10; ++i) {
    source.at((200 + i) * kMs,
              [&, i] { writer->write(counter16(500, static_cast<size_t>(i) * 500)); });
  }
  source.at(300 * kMs, [&] { writer->leave(); });
  ASSERT_TRUE(source.run());
  EXPECT_EQ(source.written<int16_t>(), counter16(5000));
  EXPECT_TRUE(source.violations().empty());
}

TEST_F(SourcePipe, Next_writer_begins_at_a_whole_frame) {
  ASSERT_TRUE(source.prepare(kStereo16));
  std::unique_ptr<Writer> writer;
  source.at(1 * kMs, [&] { writer = std::make_unique<Writer>(path); });
  source.at(2 * kMs, [&] { writer->write(counter16(101), 3); });  // the last frame is cut
  source.at(3 * kMs, [&] { writer->leave(); });
  source.at(100 * kMs, [&] { writer = std::make_unique<Writer>(path); });
  source.at(101 * kMs, [&] { writer->write(counter16(50, 1000)); });
  source.stop_at(200 * kMs);
  ASSERT_TRUE(source.run());
  auto expected = counter16(100);
  const auto next = counter16(50, 1000);
  expected.insert(expected.end(), next.begin(), next.end());
  EXPECT_EQ(source.written<int16_t>(), expected);
  EXPECT_EQ(source.counter("cut_frames"), 1U);
  EXPECT_EQ(source.counter("writers"), 2U);
  const auto& marks = source.marks();
  ASSERT_EQ(marks.size(), 5U);
  EXPECT_EQ(marks[0].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
  EXPECT_EQ(marks[1].kind, uint32_t{SLUICE_MARK_SILENCE_ENDS});
  EXPECT_EQ(marks[2].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
  EXPECT_EQ(marks[2].position, 100U);
  EXPECT_EQ(marks[3].kind, uint32_t{SLUICE_MARK_SILENCE_ENDS});
  EXPECT_EQ(marks[4].kind, uint32_t{SLUICE_MARK_DISCONTINUITY});
  EXPECT_EQ(marks[4].position, 100U);
}

TEST_F(SourcePipe, Frames_may_come_in_pieces) {
  ASSERT_TRUE(source.prepare(kStereo16));
  Writer writer(path);
  const auto samples = counter16(64);
  for (size_t i = 0; i < samples.size(); ++i) {
    source.at(static_cast<int64_t>(i + 1) * kMs, [&, i] { writer.write({samples[i]}); });
  }
  source.stop_at(200 * kMs);
  ASSERT_TRUE(source.run());
  EXPECT_EQ(source.written<int16_t>(), samples);
}

TEST_F(SourcePipe, Full_reader_holds_the_writer_back_and_loses_nothing) {
  source.set_capacity(100);
  ASSERT_TRUE(source.prepare(kStereo16));
  Writer writer(path);
  source.at(1 * kMs, [&] { writer.write(counter16(5000)); });
  for (int i = 0; i < 200; ++i) {
    source.at((10 + i) * kMs, [&] {
      source.set_capacity(600);
      source.take(source.frames_written() < 600 ? source.frames_written() : 600);
    });
  }
  source.stop_at(400 * kMs);
  ASSERT_TRUE(source.run());
  EXPECT_EQ(source.written<int16_t>(), counter16(5000));
  EXPECT_EQ(source.frames_dropped(), 0U);
}

TEST_F(SourcePipe, Stop_ends_it_while_nobody_writes) {
  ASSERT_TRUE(source.prepare(kStereo16));
  source.stop_at(100 * kMs);
  ASSERT_TRUE(source.run());
  EXPECT_EQ(source.frames_written(), 0U);
}

TEST_F(SourcePipe, File_is_read_to_its_end) {
  const auto samples = counter16(10000);
  const fs::path file = folder / "raw";
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(samples.data()),
             static_cast<std::streamsize>(samples.size() * 2));
  source.set("path", file.string());
  ASSERT_TRUE(source.prepare(kStereo16));
  ASSERT_TRUE(source.run());
  EXPECT_EQ(source.written<int16_t>(), samples);
}

}  // namespace
}  // namespace sluice::tests
