#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "host/engine/ring/mirror_memory.hpp"
#include "tests/unit/engine/ring_support.hpp"

namespace sluice::engine {
namespace {

TEST(MirrorMemoryTest, Span_past_the_end_is_the_beginning) {
  const std::size_t page = MirrorMemory::page_bytes();
  auto made = MirrorMemory::create("test", 100, 3 * page);
  ASSERT_TRUE(made) << made.error().message;
  const MirrorMemory& memory = *made;
  ASSERT_EQ(memory.data_bytes(), 3 * page);
  EXPECT_EQ(memory.header_bytes(), page);
  for (std::size_t i = 0; i < memory.data_bytes(); ++i) {
    ASSERT_EQ(memory.data()[i], std::byte{0}) << "not zeroed at " << i;
    memory.data()[i] = static_cast<std::byte>(i % 251);
  }
  for (std::size_t i = 0; i < memory.data_bytes(); ++i) {
    ASSERT_EQ(memory.data()[memory.data_bytes() + i], static_cast<std::byte>(i % 251)) << i;
  }
  memory.data()[memory.data_bytes() + 5] = std::byte{99};
  EXPECT_EQ(memory.data()[5], std::byte{99});
  EXPECT_TRUE(std::all_of(memory.header(), memory.header() + page,
                          [](std::byte b) { return b == std::byte{0}; }));
}

TEST(MirrorMemoryTest, Descriptor_gives_the_same_memory_and_cannot_be_shrunk) {
  const std::size_t page = MirrorMemory::page_bytes();
  auto made = MirrorMemory::create("test", page, page);
  ASSERT_TRUE(made) << made.error().message;
  std::memcpy(made->header(), "head", 4);
  std::memcpy(made->data(), "data", 4);
  void* other = mmap(nullptr, 2 * page, PROT_READ, MAP_SHARED, made->descriptor(), 0);
  ASSERT_NE(other, MAP_FAILED);
  EXPECT_EQ(std::memcmp(other, "head", 4), 0);
  EXPECT_EQ(std::memcmp(static_cast<char*>(other) + page, "data", 4), 0);
  munmap(other, 2 * page);
  EXPECT_EQ(ftruncate(made->descriptor(), 0), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(MirrorMemoryTest, Size_that_is_not_whole_pages_is_refused_with_a_sentence) {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{100}, MirrorMemory::page_bytes() + 1}) {
    auto made = MirrorMemory::create("test", 0, bytes);
    ASSERT_FALSE(made) << bytes;
    EXPECT_EQ(made.error().code, support::ErrorCode::kInvalid);
    EXPECT_EQ(made.error().message.back(), '.');
  }
}

TEST(MirrorMemoryTest, Moved_from_is_empty_and_moved_to_works) {
  const std::size_t page = MirrorMemory::page_bytes();
  auto made = MirrorMemory::create("test", page, page);
  ASSERT_TRUE(made) << made.error().message;
  MirrorMemory first = *std::move(made);
  std::byte* data = first.data();
  MirrorMemory second = std::move(first);
  EXPECT_EQ(first.header(), nullptr);  // NOLINT(bugprone-use-after-move): that is the contract
  EXPECT_EQ(first.descriptor(), -1);
  EXPECT_EQ(second.data(), data);
  data[0] = std::byte{7};
  EXPECT_EQ(second.data()[page], std::byte{7});
}

// In a process that may lock nothing; 0 if all is as promised.
int lock_nothing() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_MEMLOCK, &none);
  if (geteuid() == 0 && setuid(65534) != 0) return 2;
  auto made = MirrorMemory::create("test", 0, MirrorMemory::page_bytes());
  if (!made) return 3;
  made->data()[0] = std::byte{1};
  if (made->data()[made->data_bytes()] != std::byte{1}) return 4;
  return made->lock_error() != 0 ? 0 : 5;
}

TEST(MirrorMemoryDeathTest, Refused_lock_is_told_and_the_memory_works) {
  if (test::kSanitized) GTEST_SKIP() << "sanitizers make mlock do nothing";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(lock_nothing()), testing::ExitedWithCode(0), "");
}

TEST(RingTest, Capacity_is_whole_pages_and_whole_frames_at_least_as_asked) {
  const std::uint64_t page = MirrorMemory::page_bytes();
  for (std::uint32_t frame_bytes = 1; frame_bytes <= 64; ++frame_bytes) {
    for (const std::uint64_t asked : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000},
                                      std::uint64_t{4096}, std::uint64_t{4097}}) {
      const auto ring = test::make_ring(frame_bytes, asked);
      const std::uint64_t granule = page / std::gcd<std::uint64_t>(page, frame_bytes);
      EXPECT_GE(ring->capacity_frames(), std::max<std::uint64_t>(asked, 1));
      EXPECT_LT(ring->capacity_frames(), std::max<std::uint64_t>(asked, 1) + granule);
      EXPECT_EQ(ring->capacity_frames() * frame_bytes % page, 0U);
      EXPECT_EQ(ring->capacity_frames() % granule, 0U);
    }
  }
}

TEST(RingTest, Absurd_sizes_are_refused_with_a_sentence) {
  for (const RingOptions& options :
       {RingOptions{.frame_bytes = 0, .minimum_frames = 10},
        RingOptions{.frame_bytes = 8, .minimum_frames = std::uint64_t{1} << 62}}) {
    auto ring = Ring::create(options);
    ASSERT_FALSE(ring);
    EXPECT_EQ(ring.error().code, support::ErrorCode::kInvalid);
    EXPECT_EQ(ring.error().message.back(), '.');
  }
}

}  // namespace
}  // namespace sluice::engine
