#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/engine/ring_support.hpp"

namespace sluice::engine {
namespace {

using test::make_ring;
using test::write_payload;
using test::wrong_frames;

constexpr std::uint32_t kFrameBytes = 8;

class CursorTest : public testing::Test {
 protected:
  // Reads up to `frames` frames in spans, checks each, and returns how many there were.
  std::uint64_t read_payload(Cursor& cursor, std::uint64_t frames) {
    std::uint64_t done = 0;
    while (done < frames) {
      const ReadSpan span = cursor.begin_read(static_cast<std::uint32_t>(frames - done));
      if (span.frames == 0) break;
      EXPECT_EQ(wrong_frames(span.data, span.position, span.frames, kFrameBytes), 0U);
      cursor.end_read(span.frames);
      done += span.frames;
    }
    return done;
  }

  std::unique_ptr<Ring> ring_ = make_ring(kFrameBytes, 512);
  const std::uint64_t capacity_ = ring_->capacity_frames();
};

TEST_F(CursorTest, Writer_stops_in_front_of_a_waiting_cursor_and_goes_on_after_it) {
  Cursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  EXPECT_TRUE(write_payload(*ring_, capacity_));
  EXPECT_EQ(ring_->room(), 0U);
  EXPECT_EQ(ring_->begin_write(1).frames, 0U);
  EXPECT_EQ(ring_->blocker(), Blocker::kWaitingCursor);
  EXPECT_EQ(read_payload(cursor, 10), 10U);
  EXPECT_EQ(ring_->room(), 10U);
  EXPECT_FALSE(write_payload(*ring_, 11));
  EXPECT_EQ(ring_->written(), capacity_ + 10);
  EXPECT_EQ(read_payload(cursor, 2 * capacity_), capacity_);
  EXPECT_EQ(cursor.lost(), 0U);
}

TEST_F(CursorTest, Lagging_skip_cursor_is_moved_to_newest_less_target_and_told) {
  Cursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring_, 0, CursorPolicy::kSkip, 100), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, capacity_));
  EXPECT_EQ(cursor.position(), 0U);
  ASSERT_TRUE(write_payload(*ring_, 1));
  EXPECT_EQ(cursor.position(), capacity_ - 100);
  const ReadSpan span = cursor.begin_read(1000);
  EXPECT_EQ(span.position, capacity_ - 100);
  EXPECT_EQ(span.lost_frames, capacity_ - 100);
  EXPECT_EQ(cursor.lost(), capacity_ - 100);
  cursor.end_read(0);
  EXPECT_EQ(read_payload(cursor, 1000), 101U);
  EXPECT_EQ(cursor.begin_read(1000).lost_frames, 0U);
}

TEST_F(CursorTest, Skip_cursor_loses_nothing_while_a_waiting_one_stops_the_writer_anyway) {
  Cursor waits;
  Cursor skips;
  ASSERT_EQ(waits.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_EQ(skips.attach_behind(*ring_, 0, CursorPolicy::kSkip), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, capacity_));
  // A file's writer keeps the ring full in front of its pacer.
  for (int block = 0; block < 50; ++block) {
    EXPECT_FALSE(write_payload(*ring_, 480));
    EXPECT_EQ(read_payload(skips, 20), 20U);
    EXPECT_EQ(read_payload(waits, 20), 20U);
  }
  EXPECT_EQ(skips.lost(), 0U);
  EXPECT_EQ(read_payload(waits, 100), 100U);
  EXPECT_FALSE(write_payload(*ring_, 480));
  EXPECT_GT(skips.position(), 1100U) << "it lags and is all that is in the way";
  const std::uint64_t received = 1000 + read_payload(skips, capacity_);
  EXPECT_EQ(received + skips.lost(), ring_->written());
}

TEST_F(CursorTest,
       Skip_cursor_that_trails_the_waiting_one_by_no_more_than_the_trail_loses_nothing) {
  constexpr std::uint64_t kTrail = 200;
  auto made = Ring::create(
      {.frame_bytes = kFrameBytes, .minimum_frames = 512 + kTrail, .trail_frames = kTrail});
  ASSERT_TRUE(made);
  ring_ = *std::move(made);
  EXPECT_EQ(ring_->ahead_frames(), ring_->capacity_frames() - kTrail);
  Cursor waits;
  Cursor skips;
  ASSERT_EQ(waits.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_EQ(skips.attach_behind(*ring_, 0, CursorPolicy::kSkip), AttachStatus::kAttached);
  EXPECT_FALSE(write_payload(*ring_, 2 * ring_->capacity_frames()));
  EXPECT_EQ(read_payload(waits, kTrail), kTrail);
  for (int block = 0; block < 100; ++block) {
    EXPECT_FALSE(write_payload(*ring_, 480));
    EXPECT_EQ(ring_->written(), waits.position() + ring_->ahead_frames());
    EXPECT_EQ(ring_->room(), 0U);
    EXPECT_EQ(read_payload(waits, 20), 20U);
    EXPECT_EQ(read_payload(skips, 20), 20U);
  }
  EXPECT_EQ(skips.lost(), 0U);
  EXPECT_EQ(read_payload(waits, 1), 1U);
  EXPECT_FALSE(write_payload(*ring_, 480));
  EXPECT_EQ(read_payload(skips, 1), 1U);
  EXPECT_GT(skips.lost(), 0U);
}

TEST_F(CursorTest, Pinned_skip_cursor_is_not_overwritten_and_blocks_by_name) {
  Cursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring_, 0, CursorPolicy::kSkip), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, 100));
  const ReadSpan span = cursor.begin_read(100);
  ASSERT_EQ(span.frames, 100U);
  EXPECT_FALSE(write_payload(*ring_, capacity_));
  EXPECT_EQ(ring_->blocker(), Blocker::kPinnedCursor);
  EXPECT_EQ(ring_->written(), capacity_);
  EXPECT_EQ(wrong_frames(span.data, span.position, span.frames, kFrameBytes), 0U);
  cursor.end_read(100);
  EXPECT_TRUE(write_payload(*ring_, capacity_));
}

TEST_F(CursorTest, Skip_cursor_of_a_ring_that_is_not_live_is_waited_for) {
  ring_->set_live(false);
  Cursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring_, 0, CursorPolicy::kSkip), AttachStatus::kAttached);
  EXPECT_FALSE(write_payload(*ring_, capacity_ + 1));
  EXPECT_EQ(ring_->written(), capacity_);
  EXPECT_EQ(ring_->room(), 0U);
  EXPECT_EQ(read_payload(cursor, capacity_), capacity_);
  EXPECT_EQ(cursor.lost(), 0U);
}

TEST_F(CursorTest, Ring_that_nobody_reads_runs_on) {
  EXPECT_TRUE(write_payload(*ring_, 10 * capacity_));
  EXPECT_EQ(ring_->written(), 10 * capacity_);
  EXPECT_EQ(ring_->cursor_count(), 0U);
}

TEST_F(CursorTest, History_is_held_between_a_half_and_seven_eighths_of_the_ring) {
  for (const std::uint64_t history : {std::uint64_t{0}, capacity_ * 3 / 4, capacity_}) {
    const auto ring = Ring::create(
        {.frame_bytes = kFrameBytes, .minimum_frames = capacity_, .history_frames = history});
    ASSERT_TRUE(ring);
    const std::uint64_t held = std::clamp(history, capacity_ / 2, capacity_ * 7 / 8);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(write_payload(**ring, 37));
      const std::uint64_t written = (*ring)->written();
      EXPECT_LE((*ring)->oldest(), written - std::min(written, held));
    }
  }
}

TEST_F(CursorTest, Attach_reaches_as_far_back_as_is_held_and_no_further) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(write_payload(*ring_, 37));
  const std::uint64_t written = ring_->written();
  Cursor cursor;
  EXPECT_EQ(cursor.attach_at(*ring_, ring_->oldest(), CursorPolicy::kWait),
            AttachStatus::kAttached);
  EXPECT_EQ(read_payload(cursor, capacity_), written - ring_->oldest());
  EXPECT_EQ(cursor.attach_at(*ring_, ring_->oldest() - 1, CursorPolicy::kWait),
            AttachStatus::kOverwritten);
  EXPECT_FALSE(cursor.attached());
  EXPECT_EQ(cursor.attach_at(*ring_, written + 1, CursorPolicy::kWait), AttachStatus::kNotWritten);
  EXPECT_EQ(ring_->cursor_count(), 0U);
  ASSERT_EQ(cursor.attach_behind(*ring_, capacity_ * 5, CursorPolicy::kWait),
            AttachStatus::kAttached);
  EXPECT_EQ(cursor.position(), ring_->oldest());
  ASSERT_EQ(cursor.attach_behind(*ring_, 20, CursorPolicy::kSkip), AttachStatus::kAttached);
  EXPECT_EQ(cursor.position(), written - 20);
  EXPECT_EQ(ring_->cursor_count(), 1U);
}

TEST_F(CursorTest, Slots_run_out_at_the_maximum_and_come_back) {
  std::vector<Cursor> cursors(kMaxCursors);
  for (Cursor& cursor : cursors) {
    ASSERT_EQ(cursor.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  }
  Cursor late;
  EXPECT_EQ(late.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kNoSlot);
  EXPECT_EQ(late.attach_at(*ring_, 0, CursorPolicy::kWait), AttachStatus::kNoSlot);
  EXPECT_EQ(ring_->cursor_count(), kMaxCursors);
  for (const std::uint32_t slot : {17U, kMaxCursors - 1}) {
    cursors[slot].detach();
    EXPECT_EQ(late.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
    EXPECT_EQ(late.slot(), slot);
    cursors[slot] = std::move(late);
  }
  // Each of them insists on its place, and the last one is moved on like the first.
  ASSERT_TRUE(write_payload(*ring_, static_cast<std::uint32_t>(capacity_)));
  EXPECT_EQ(ring_->room(), 0U);
  for (Cursor& cursor : cursors) EXPECT_EQ(read_payload(cursor, 16), 16U);
  EXPECT_EQ(ring_->room(), 16U);
  ASSERT_EQ(late.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kNoSlot);
  cursors[3].detach();
  ASSERT_EQ(late.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  cursors.clear();
  EXPECT_EQ(ring_->cursor_count(), 1U);
}

TEST_F(CursorTest, Moved_handle_keeps_its_place) {
  Cursor first;
  ASSERT_EQ(first.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, 100));
  EXPECT_EQ(read_payload(first, 30), 30U);
  Cursor second = std::move(first);
  EXPECT_FALSE(first.attached());  // NOLINT(bugprone-use-after-move): that is the contract
  EXPECT_EQ(second.position(), 30U);
  EXPECT_EQ(read_payload(second, 100), 70U);
  EXPECT_EQ(ring_->cursor_count(), 1U);
}

TEST_F(CursorTest, Seek_goes_back_within_what_is_held_and_forward_to_the_newest) {
  for (const CursorPolicy policy : {CursorPolicy::kWait, CursorPolicy::kSkip}) {
    Cursor cursor;
    ASSERT_EQ(cursor.attach_behind(*ring_, 0, policy), AttachStatus::kAttached);
    const std::uint64_t start = cursor.position();
    ASSERT_TRUE(write_payload(*ring_, 300));
    EXPECT_EQ(read_payload(cursor, 300), 300U);
    EXPECT_EQ(cursor.seek(start + 10), AttachStatus::kAttached);
    EXPECT_EQ(cursor.position(), start + 10);
    EXPECT_EQ(cursor.begin_read(5).position, start + 10);
    cursor.end_read(5);
    EXPECT_EQ(cursor.seek(start + 301), AttachStatus::kNotWritten);
    EXPECT_EQ(cursor.position(), start + 15);
    EXPECT_EQ(cursor.seek(start + 300), AttachStatus::kAttached);
    EXPECT_EQ(cursor.available(), 0U);
    EXPECT_EQ(cursor.seek(start + 100), AttachStatus::kAttached);
    ring_->set_live(false);
    EXPECT_FALSE(write_payload(*ring_, capacity_)) << "the writer must respect the new place";
    EXPECT_EQ(ring_->written(), start + 100 + capacity_);
    EXPECT_EQ(cursor.seek(start + 99), AttachStatus::kOverwritten);
    EXPECT_EQ(read_payload(cursor, 2 * capacity_), capacity_);
    EXPECT_EQ(cursor.lost(), 0U);
    ring_->set_live(true);
  }
}

TEST_F(CursorTest, Policy_changes_while_it_runs_with_and_without_a_span) {
  Cursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, capacity_));
  ReadSpan span = cursor.begin_read(10);
  cursor.set_policy(CursorPolicy::kSkip);
  EXPECT_EQ(ring_->begin_write(1).frames, 0U) << "the held span became a pinned one";
  EXPECT_EQ(ring_->blocker(), Blocker::kPinnedCursor);
  cursor.end_read(span.frames);
  cursor.set_skip_target(50);
  ASSERT_TRUE(write_payload(*ring_, 20));
  EXPECT_GT(cursor.position(), 10U) << "moved on, having become a skip cursor";
  const std::uint64_t place = cursor.position();
  cursor.set_policy(CursorPolicy::kWait);
  EXPECT_FALSE(write_payload(*ring_, 3 * capacity_));
  EXPECT_EQ(ring_->written(), place + capacity_);
  span = cursor.begin_read(static_cast<std::uint32_t>(capacity_));
  EXPECT_EQ(span.position, place);
  EXPECT_EQ(span.lost_frames, place - 10);
  cursor.end_read(0);
  cursor.set_policy(CursorPolicy::kSkip);
  span = cursor.begin_read(10);
  cursor.set_policy(CursorPolicy::kWait);
  EXPECT_EQ(ring_->begin_write(1).frames, 0U);
  EXPECT_EQ(ring_->blocker(), Blocker::kWaitingCursor);
  cursor.end_read(10);
  EXPECT_EQ(ring_->begin_write(100).frames, 10U);
}

TEST_F(CursorTest, View_reads_anywhere_between_cursor_and_writer_without_consuming) {
  Cursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, capacity_));
  EXPECT_EQ(read_payload(cursor, 100), 100U);
  ASSERT_TRUE(write_payload(*ring_, 100));
  for (const std::uint64_t position :
       {std::uint64_t{100}, std::uint64_t{101}, capacity_, capacity_ + 99}) {
    const ReadSpan span = cursor.view(position, 20);
    ASSERT_NE(span.data, nullptr) << position;
    EXPECT_EQ(span.position, position);
    EXPECT_LE(span.frames, capacity_ + 100 - position);
    EXPECT_EQ(wrong_frames(span.data, position, span.frames, kFrameBytes), 0U);
  }
  EXPECT_EQ(cursor.view(99, 20).data, nullptr);
  EXPECT_EQ(cursor.view(capacity_ + 100, 20).data, nullptr);
  EXPECT_EQ(cursor.position(), 100U);
}

TEST_F(CursorTest, Cursor_state_shows_each_slot_to_any_thread) {
  Cursor waits;
  Cursor skips;
  ASSERT_EQ(waits.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_EQ(skips.attach_behind(*ring_, 0, CursorPolicy::kSkip), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, 10));
  EXPECT_EQ(read_payload(waits, 4), 4U);
  const ReadSpan span = skips.begin_read(1);
  const auto first = ring_->cursor_state(waits.slot());
  const auto second = ring_->cursor_state(skips.slot());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->position, 4U);
  EXPECT_EQ(first->policy, CursorPolicy::kWait);
  EXPECT_FALSE(first->pinned);
  EXPECT_EQ(second->policy, CursorPolicy::kSkip);
  EXPECT_TRUE(second->pinned);
  EXPECT_EQ(skips.held_frames(), 1U);
  skips.end_read(span.frames);
  EXPECT_EQ(skips.held_frames(), 0U);
  EXPECT_FALSE(ring_->cursor_state(63));
  EXPECT_FALSE(ring_->cursor_state(64));
}

TEST_F(CursorTest, Dropped_frames_become_silence_of_their_length_at_their_place) {
  Cursor pinned;
  Cursor waits;
  ASSERT_EQ(pinned.attach_behind(*ring_, 0, CursorPolicy::kSkip), AttachStatus::kAttached);
  ASSERT_TRUE(write_payload(*ring_, capacity_));
  ASSERT_EQ(waits.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  const ReadSpan held = pinned.begin_read(1);
  ASSERT_EQ(held.frames, 1U);

  const WriteSpan none = ring_->begin_write(70);
  EXPECT_EQ(none.frames, 0U);
  EXPECT_EQ(none.position, capacity_);
  ring_->drop(70);
  EXPECT_EQ(ring_->dropped(), 70U);
  EXPECT_EQ(ring_->write_position(), capacity_ + 70);
  EXPECT_EQ(ring_->written(), capacity_) << "readers get the silence when there is room for it";
  EXPECT_EQ(ring_->begin_write(5).position, capacity_ + 70);
  ring_->drop(5);

  pinned.end_read(1);
  ASSERT_TRUE(write_payload(*ring_, 25));
  EXPECT_EQ(ring_->written(), capacity_ + 100);
  std::uint64_t silent = 0;
  std::uint64_t sounding = 0;
  for (ReadSpan span = waits.begin_read(1000); span.frames != 0; span = waits.begin_read(1000)) {
    for (std::uint32_t i = 0; i < span.frames; ++i) {
      const std::byte* frame = span.data + std::size_t{i} * kFrameBytes;
      const bool is_silent =
          std::all_of(frame, frame + kFrameBytes, [](std::byte b) { return b == std::byte{0}; });
      EXPECT_EQ(is_silent, span.position + i < capacity_ + 75);
      EXPECT_TRUE(is_silent || wrong_frames(frame, span.position + i, 1, kFrameBytes) == 0);
      (is_silent ? silent : sounding) += 1;
    }
    waits.end_read(span.frames);
  }
  EXPECT_EQ(silent, 75U);
  EXPECT_EQ(sounding, 25U);
}

TEST_F(CursorTest, Fill_drops_writes_the_silence_owed_at_the_end_of_a_stream) {
  Cursor waits;
  ASSERT_EQ(waits.attach_behind(*ring_, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ring_->drop(capacity_ + 30);
  EXPECT_EQ(ring_->room(), 0U);
  EXPECT_EQ(ring_->fill_drops(), 30U);
  EXPECT_EQ(ring_->fill_drops(), 30U) << "the cursor holds everything";
  std::uint64_t read = 0;
  for (ReadSpan span = waits.begin_read(1000); span.frames != 0; span = waits.begin_read(1000)) {
    read += span.frames;
    waits.end_read(span.frames);
  }
  EXPECT_EQ(read, capacity_);
  EXPECT_EQ(ring_->fill_drops(), 0U);
  EXPECT_EQ(ring_->written(), capacity_ + 30);
}

}  // namespace
}  // namespace sluice::engine
