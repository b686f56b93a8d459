// The ring against a plain deque: random operations, same answers.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "tests/unit/engine/ring_support.hpp"

namespace sluice::engine {
namespace {

using Frame = std::vector<std::byte>;

// What a ring promises, without any of its tricks: all frames ever held in a deque, the rules of
// who may be passed in a loop.
class Model {
 public:
  struct Reader {
    std::uint64_t position = 0;
    CursorPolicy policy = CursorPolicy::kWait;
    std::uint64_t target = 0;
    std::uint64_t lost = 0;
    std::uint32_t held = 0;
    bool attached = false;
  };

  Model(std::uint64_t capacity, std::uint32_t frame_bytes, std::size_t readers)
      : capacity_(capacity), frame_bytes_(frame_bytes), readers_(readers) {}

  std::uint64_t written() const { return first_ + frames_.size(); }
  Reader& reader(std::size_t i) { return readers_[i]; }

  // How many of `want` frames may be written, having moved on whom one may.
  std::uint64_t grant(std::uint64_t want, bool live) {
    want = std::min(want, capacity_);
    const auto may_move = [live](const Reader& it) {
      return live && it.policy == CursorPolicy::kSkip && it.held == 0;
    };
    std::uint64_t limit = written() + want;
    for (const Reader& it : readers_) {
      if (it.attached && !may_move(it)) limit = std::min(limit, it.position + capacity_);
    }
    for (Reader& it : readers_) {
      if (!it.attached || it.position + capacity_ >= limit) continue;
      const std::uint64_t to =
          std::max(written() - std::min(written(), it.target), limit - capacity_);
      it.lost += to - it.position;
      it.position = to;
    }
    return contiguous(written(), limit - written());
  }

  std::uint64_t room(bool live) const {
    std::uint64_t held = written();
    for (const Reader& it : readers_) {
      const bool moves = live && it.policy == CursorPolicy::kSkip && it.held == 0;
      if (it.attached && !moves) held = std::min(held, it.position);
    }
    return capacity_ - (written() - held);
  }

  std::uint64_t contiguous(std::uint64_t position, std::uint64_t frames) const {
#if SLUICE_SINGLE_MAPPING
    return std::min(frames, capacity_ - position % capacity_);
#else
    (void)position;
    return frames;
#endif
  }

  void append(Frame frame) { frames_.push_back(std::move(frame)); }

  bool matches(const std::byte* data, std::uint64_t position, std::uint64_t frames) const {
    for (std::uint64_t i = 0; i < frames; ++i) {
      const Frame& expected = frames_[position + i - first_];
      if (std::memcmp(data + i * frame_bytes_, expected.data(), frame_bytes_) != 0) return false;
    }
    return true;
  }

  // Keeps the model small: nobody asks for frames older than two capacities.
  void forget() {
    while (frames_.size() > 2 * capacity_) {
      frames_.pop_front();
      ++first_;
    }
  }

 private:
  const std::uint64_t capacity_;
  const std::uint32_t frame_bytes_;
  std::uint64_t first_ = 0;
  std::deque<Frame> frames_;
  std::vector<Reader> readers_;
};

class Machine {
 public:
  Machine(std::uint32_t frame_bytes, std::uint64_t seed)
      : random_(seed),
        ring_(test::make_ring(frame_bytes, 1)),
        capacity_(ring_->capacity_frames()),
        model_(capacity_, frame_bytes, kReaders) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
  }

 private:
  static constexpr std::size_t kReaders = 5;

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::uint32_t some_frames() {
    const std::uint64_t most = below(4) == 0 ? capacity_ + 2 : capacity_ / 4 + 1;
    return static_cast<std::uint32_t>(below(most + 1));
  }
  CursorPolicy some_policy() { return below(2) == 0 ? CursorPolicy::kWait : CursorPolicy::kSkip; }

  void step() {
    const std::size_t i = below(kReaders);
    switch (below(16)) {
      case 0:
        return toggle(i);
      case 1:
        return seek(i);
      case 2:
        return change_policy(i);
      case 3:
        return drop();
      case 4:
        return set_live();
      case 5:
      case 6:
      case 7:
      case 8:
        return write();
      default:
        return model_.reader(i).held != 0 ? end_read(i) : begin_read(i);
    }
  }

  void write() {
    const std::uint32_t want = some_frames();
    fill();
    const std::uint64_t expected =
        owed_ != 0 ? 0 : std::min<std::uint64_t>(model_.grant(want, live_), want);
    const WriteSpan span = ring_->begin_write(want);
    ASSERT_EQ(span.frames, expected);
    ASSERT_EQ(span.position, model_.written() + owed_);
    ASSERT_EQ(span.data == nullptr, span.frames == 0);
    if (span.frames == 0) return;
    const auto used = static_cast<std::uint32_t>(below(span.frames + 1));
    for (std::uint32_t frame = 0; frame < span.frames; ++frame) {
      Frame bytes(ring_->frame_bytes());
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_());
      std::memcpy(span.data + std::size_t{frame} * bytes.size(), bytes.data(), bytes.size());
      if (frame < used) model_.append(std::move(bytes));
    }
    ring_->end_write(used);
    model_.forget();
    check();
  }

  // What begin_write does first after a drop.
  void fill() {
    for (std::uint64_t budget = capacity_; owed_ != 0 && budget != 0;) {
      const std::uint64_t frames = model_.grant(std::min(owed_, budget), live_);
      if (frames == 0) break;
      for (std::uint64_t n = 0; n < frames; ++n) {
        model_.append(Frame(ring_->frame_bytes(), std::byte{0}));
      }
      owed_ -= frames;
      budget -= frames;
    }
  }

  void drop() {
    const std::uint64_t frames = below(8) == 0 ? below(2 * capacity_) : below(20);
    ring_->drop(frames);
    owed_ += frames;
    check();
  }

  void set_live() {
    live_ = below(4) != 0;
    ring_->set_live(live_);
    check();
  }

  void toggle(std::size_t i) {
    Model::Reader& it = model_.reader(i);
    if (it.attached) {
      check_account(i);
      cursors_[i].detach();
      it = {};
      return;
    }
    const CursorPolicy policy = some_policy();
    const std::uint64_t target = below(capacity_ + 10);
    const std::uint64_t written = model_.written();
    if (below(2) == 0) {
      const std::uint64_t distance = below(capacity_ + 10);
      ASSERT_EQ(cursors_[i].attach_behind(*ring_, distance, policy, target),
                AttachStatus::kAttached);
      const std::uint64_t wished = written - std::min(written, distance);
      it.position = std::max(wished, ring_->oldest());
    } else {
      const std::uint64_t back = below(2 * capacity_);
      const std::uint64_t position =
          below(8) == 0 ? written + 1 : written - std::min(written, back);
      const AttachStatus expected = position > written           ? AttachStatus::kNotWritten
                                    : position < ring_->oldest() ? AttachStatus::kOverwritten
                                                                 : AttachStatus::kAttached;
      ASSERT_EQ(cursors_[i].attach_at(*ring_, position, policy, target), expected);
      if (expected != AttachStatus::kAttached) return;
      it.position = position;
    }
    it.attached = true;
    it.policy = policy;
    it.target = target;
    joined_[i] = it.position;
    received_[i] = 0;
    reported_[i] = 0;
    check();
  }

  void seek(std::size_t i) {
    Model::Reader& it = model_.reader(i);
    if (!it.attached || it.held != 0) return;
    const std::uint64_t written = model_.written();
    const std::uint64_t position = written + 1 - std::min(written, below(capacity_ + 2));
    const AttachStatus status = cursors_[i].seek(position);
    if (position > written) {
      ASSERT_EQ(status, AttachStatus::kNotWritten);
    } else if (position < it.position && position < ring_->oldest()) {
      ASSERT_EQ(status, AttachStatus::kOverwritten);
    } else {
      ASSERT_EQ(status, AttachStatus::kAttached);
      joined_[i] += position - it.position;  // the account goes on from there
      it.position = position;
    }
    check();
  }

  void change_policy(std::size_t i) {
    Model::Reader& it = model_.reader(i);
    if (!it.attached) return;
    it.policy = some_policy();
    it.target = below(capacity_);
    cursors_[i].set_skip_target(it.target);
    cursors_[i].set_policy(it.policy);
    check();
  }

  void begin_read(std::size_t i) {
    Model::Reader& it = model_.reader(i);
    if (!it.attached) return;
    const std::uint32_t want = some_frames();
    const std::uint64_t available = model_.written() - it.position;
    ASSERT_EQ(cursors_[i].available(), available);
    const std::uint64_t expected =
        model_.contiguous(it.position, std::min<std::uint64_t>(want, available));
    const ReadSpan span = cursors_[i].begin_read(want);
    ASSERT_EQ(span.frames, expected);
    ASSERT_EQ(span.data == nullptr, expected == 0);
    if (span.frames == 0) return;
    ASSERT_EQ(span.position, it.position);
    ASSERT_TRUE(model_.matches(span.data, span.position, span.frames));
    reported_[i] += span.lost_frames;
    ASSERT_EQ(reported_[i], it.lost);
    it.held = span.frames;
    spans_[i] = span;
  }

  void end_read(std::size_t i) {
    Model::Reader& it = model_.reader(i);
    // Whatever the writer did meanwhile, the span has not changed.
    ASSERT_TRUE(model_.matches(spans_[i].data, spans_[i].position, spans_[i].frames));
    const auto used = static_cast<std::uint32_t>(below(it.held + 1));
    cursors_[i].end_read(used);
    received_[i] += used;
    it.position += used;
    it.held = 0;
    check();
  }

  void check() {
    ASSERT_EQ(ring_->written(), model_.written());
    ASSERT_EQ(ring_->write_position(), model_.written() + owed_);
    const std::uint64_t free = model_.room(live_);
    ASSERT_EQ(ring_->room(), free - std::min(free, owed_));
    for (std::size_t i = 0; i < kReaders; ++i) {
      if (model_.reader(i).attached) check_account(i);
    }
  }

  void check_account(std::size_t i) {
    const Model::Reader& it = model_.reader(i);
    ASSERT_EQ(cursors_[i].position(), it.position);
    ASSERT_EQ(joined_[i] + received_[i] + it.lost, it.position) << "received + lost = passed";
  }

  std::mt19937_64 random_;
  std::unique_ptr<Ring> ring_;
  const std::uint64_t capacity_;
  Model model_;
  std::array<Cursor, kReaders> cursors_;
  std::array<ReadSpan, kReaders> spans_;
  std::array<std::uint64_t, kReaders> joined_{};
  std::array<std::uint64_t, kReaders> received_{};
  std::array<std::uint64_t, kReaders> reported_{};
  std::uint64_t owed_ = 0;
  bool live_ = true;
};

TEST(RingModelTest, Random_operations_give_what_a_deque_gives_for_every_frame_size) {
  // Sizes whose capacity is small, so that the writer goes round often: all of 1 to 64 bytes.
  const std::uint64_t steps = test::repetitions(20'000, 20);
  const std::uint64_t base = std::random_device{}();
  for (std::uint32_t frame_bytes = 1; frame_bytes <= 64; ++frame_bytes) {
    const std::uint64_t seed = base + frame_bytes;
    SCOPED_TRACE("frame_bytes " + std::to_string(frame_bytes) + ", seed " + std::to_string(seed));
    Machine(frame_bytes, seed).run(static_cast<int>(steps));
    if (HasFailure()) return;
  }
}

TEST(RingModelTest, Random_operations_give_what_a_deque_gives_for_large_frames) {
  const std::uint64_t steps = test::repetitions(200'000, 40);
  const std::uint64_t base = std::random_device{}();
  for (const std::uint32_t frame_bytes : {128U, 256U, 512U, 1000U, 1024U, 4096U}) {
    const std::uint64_t seed = base + frame_bytes;
    SCOPED_TRACE("frame_bytes " + std::to_string(frame_bytes) + ", seed " + std::to_string(seed));
    Machine(frame_bytes, seed).run(static_cast<int>(steps));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace sluice::engine
