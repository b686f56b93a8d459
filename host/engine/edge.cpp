#include "host/engine/edge.hpp"

#include <algorithm>
#include <cstring>

#include "host/engine/port.hpp"

namespace sluice::engine {

namespace {

CursorPolicy policy_of(WhenFull when_full) {
  return when_full == WhenFull::kSkip ? CursorPolicy::kSkip : CursorPolicy::kWait;
}

// Where a reader that was overtaken goes on, behind the newest frame. A writer without a clock is
// ahead of its pacer by all that the ring holds: near its newest frame a reader would live from
// hand to mouth, so it goes on near the pacer.
uint64_t skip_target_frames(const Edge& edge) {
  const uint64_t wanted = edge.options.target_frames;
  if (edge.fill_after_frames.load(std::memory_order_relaxed) != EdgeOptions::kNeverFill) {
    return wanted;
  }
  const uint64_t capacity = edge.from.ring->capacity_frames();
  return std::max(wanted, capacity - capacity / 4);
}

}  // namespace

bool Edge::attach(uint64_t position, uint64_t behind_frames, Entry entry) {
  const CursorPolicy policy = policy_of(when_full.load(std::memory_order_relaxed));
  is_closed.store(false, std::memory_order_relaxed);
  unread_frames.store(0, std::memory_order_relaxed);
  if (!from.is_pcm()) {
    const auto status = position == kAtNewest
                            ? packets.attach_behind(*from.packet_ring, behind_frames, policy)
                            : packets.attach_at(*from.packet_ring, position, policy);
    if (status != AttachStatus::kAttached) return false;
    next = packets.position();
    attach_position = next - read_frames - lost_frames;
    return true;
  }
  const uint64_t skip_target = skip_target_frames(*this);
  const auto status = position == kAtNewest
                          ? cursor.attach_behind(*from.ring, behind_frames, policy, skip_target)
                          : cursor.attach_at(*from.ring, position, policy, skip_target);
  if (status != AttachStatus::kAttached) return false;
  marks = position == kAtNewest ? MarkReader(from.marks) : MarkReader(from.marks, 0);
  is_silent = position == kAtNewest && from.marks.state().is_silent();
  slot = cursor.slot();
  next = cursor.position();
  // Parked and attached anew: what was counted before stays counted.
  attach_position = next - read_frames.load() - lost_frames.load();
  is_aligned = is_in_gap = is_gap_counted = has_twin = false;
  has_faded.store(false, std::memory_order_relaxed);
  const auto target = static_cast<float>(from_db(options.gain_db));
  goal = entry == Entry::kUnheard ? 0.0 : static_cast<double>(target);
  gain_target.store(static_cast<float>(goal), std::memory_order_relaxed);
  is_unheard = entry == Entry::kUnheard;
  is_warm.store(false, std::memory_order_relaxed);
  const bool ramps_in = entry != Entry::kAtOnce;
  gain.reset(ramps_in ? 0.0 : goal, from.format.rate_hz);
  presence.reset(1.0, from.format.rate_hz);
  last_frame.assign(from.format.channels, 0.0F);
  joins_late = ramps_in;
  is_plain = !ramps_in && target == 1.0F && options.delay_frames == 0;
  return true;
}

void Edge::begin_at(uint64_t position) {
  if (position <= next) return;
  const uint64_t passed = read_on(position - next);
  next += passed;
  count(attach_position, passed);
}

void Edge::take_policy() {
  const CursorPolicy policy = policy_of(when_full.load(std::memory_order_relaxed));
  if (from.is_pcm()) {
    if (cursor.attached() && cursor.policy() != policy) cursor.set_policy(policy);
  } else if (packets.attached() && packets.policy() != policy) {
    packets.set_policy(policy);
  }
}

void Edge::close() {
  if (is_closed.load(std::memory_order_relaxed)) return;
  is_closed.store(true, std::memory_order_release);
  if (!from.is_pcm()) {
    if (!packets.attached()) return;
    const uint64_t written = from.packet_ring->written();
    lost_frames.store(packets.lost(), std::memory_order_relaxed);
    unread_frames.store(written - std::min(written, packets.position()), std::memory_order_relaxed);
    close_position.store(written, std::memory_order_relaxed);
    packets.detach();
    return;
  }
  if (!cursor.attached()) return;
  // The writer may have moved the cursor on since the last look.
  const uint64_t position = cursor.position();
  if (position != next) note_lost(position - next, kOvertaken);
  const uint64_t written = std::max(from.ring->written(), position);
  unread_frames.store(written - position, std::memory_order_relaxed);
  close_position.store(written, std::memory_order_relaxed);
  cursor.detach();
}

bool Edge::is_ended() const {
  if (is_closed.load(std::memory_order_relaxed)) return true;
  if (from.marks.count() == 0) return false;
  const uint64_t end = from.marks.state().end_position;
  return end != StreamState::kNever && (from.is_pcm() ? next : packets.position()) >= end;
}

bool Edge::has_end() const {
  return is_closed.load(std::memory_order_relaxed) ||
         (from.marks.count() != 0 && from.marks.state().has_ended());
}

uint64_t Edge::fill() const {
  if (is_closed.load(std::memory_order_relaxed)) return 0;
  const auto state = from.ring->cursor_state(slot);
  const uint64_t written = from.ring->written();
  return state && written > state->position ? written - state->position : 0;
}

void Edge::continue_from(const Edge& before) {
  const Carried& older = before.carried;
  carried = {older.read_frames + before.read_frames, older.lost_frames + before.all_lost_frames(),
             older.filled_frames + before.filled_frames, older.gaps + before.gaps};
}

uint64_t Edge::all_lost_frames() const {
  const uint64_t counted = lost_frames.load(std::memory_order_relaxed);
  if (!from.is_pcm() || is_closed.load(std::memory_order_acquire)) return counted;
  // In this order: what is read meanwhile is taken for read, not for lost.
  const auto state = from.ring->cursor_state(slot);
  const uint64_t accounted = attach_position.load(std::memory_order_acquire) +
                             read_frames.load(std::memory_order_acquire) + counted;
  // Once closed the slot may be somebody else's.
  if (!state || is_closed.load(std::memory_order_acquire)) return lost_frames;
  return state->position > accounted ? counted + state->position - accounted : counted;
}

uint64_t Edge::read_on(uint64_t frames) {
  uint64_t passed = 0;
  while (passed < frames) {
    const auto want = static_cast<uint32_t>(std::min<uint64_t>(frames - passed, UINT32_MAX));
    const ReadSpan span = cursor.begin_read(want);
    cursor.end_read(span.frames);
    passed += span.lost_frames + span.frames;
    if (span.frames == 0) break;
  }
  return passed;
}

uint64_t Edge::pass_over(uint64_t frames, const char* reason) {
  const uint64_t passed = read_on(frames);
  if (passed != 0) note_lost(passed, reason);
  return passed;
}

#if SLUICE_SINGLE_MAPPING

ReadSpan Edge::begin_span(uint32_t maximum_frames) {
  ReadSpan span = cursor.begin_read(maximum_frames);
  const auto there = static_cast<uint32_t>(std::min<uint64_t>(cursor.available(), maximum_frames));
  if (span.frames == 0 || span.frames >= there) return span;
  const size_t frame_bytes = from.frame_bytes;
  const size_t first_bytes = size_t{span.frames} * frame_bytes;
  const ReadSpan rest = cursor.view(span.position + span.frames, there - span.frames);
  if (detour_.size() < size_t{there} * frame_bytes) detour_.resize(size_t{there} * frame_bytes);
  std::memcpy(detour_.data(), span.data, first_bytes);
  std::memcpy(detour_.data() + first_bytes, rest.data, size_t{rest.frames} * frame_bytes);
  return {detour_.data(), span.frames + rest.frames, span.position, span.lost_frames};
}

void Edge::end_span(uint32_t frames) {
  const uint32_t first = std::min(frames, cursor.held_frames());
  cursor.end_read(first);
  for (uint32_t left = frames - first; left != 0;) {
    const ReadSpan span = cursor.begin_read(left);
    cursor.end_read(span.frames);
    if (span.frames == 0) break;
    left -= std::min(left, span.frames + static_cast<uint32_t>(span.lost_frames));
  }
}

#endif

}  // namespace sluice::engine
