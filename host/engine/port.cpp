#include "host/engine/port.hpp"

#include <algorithm>
#include <cstring>
#include <sluice/frames.hpp>

#include "host/engine/node.hpp"

namespace sluice::engine {
namespace {

bool is_bridge(const Node& node) { return (node.type().flags & SLUICE_TYPE_BRIDGES_CLOCKS) != 0; }

}  // namespace

// ---- OutputPort ----

bool OutputPort::is_held() const {
  return std::none_of(node.outputs.begin(), node.outputs.end(),
                      [](const auto& output) { return output->is_live || output->has_readers(); });
}

#if SLUICE_SINGLE_MAPPING

WriteSpan OutputPort::begin_whole(uint32_t maximum_frames) {
  WriteSpan span = ring->begin_write(maximum_frames);
  is_detour_ = false;
  if (span.frames == 0 || span.frames == maximum_frames) return span;
  const auto room = static_cast<uint32_t>(std::min<uint64_t>(ring->room(), maximum_frames));
  if (room <= span.frames) return span;
  if (detour_.size() < size_t{room} * frame_bytes) detour_.resize(size_t{room} * frame_bytes);
  is_detour_ = true;
  return {detour_.data(), room, span.position};
}

void OutputPort::commit_detour(uint32_t frames) {
  const std::byte* from = detour_.data();
  while (frames != 0) {
    const WriteSpan span = ring->begin_write(frames);
    std::memcpy(span.data, from, size_t{span.frames} * frame_bytes);
    ring->end_write(span.frames);
    from += size_t{span.frames} * frame_bytes;
    frames -= span.frames;
  }
}

#endif

bool OutputPort::has_room(uint32_t frames) { return begin(frames).frames >= frames; }

void OutputPort::go_on_after_drop(uint32_t frames) {
  mark_gap();
  gap_frames_ = 0;
  if (jumped_frames_ != 0) {
    marks.write({sizeof(sluice_mark), SLUICE_MARK_DISCONTINUITY, ring->written(), SLUICE_NO_TIME,
                 jumped_frames_});
    jumped_frames_ = 0;
  }
  whole_frames_ += frames;
  const uint64_t trusted = is_jumping_ ? uint64_t{10} * format.rate_hz : patience_frames();
  if (whole_frames_ < trusted) return;
  is_jumping_ = has_dropped_ = false;
  paid_frames_ = 0;
}

void OutputPort::mark_gap() {
  if (unmarked_frames_ == 0) return;
  marks.write(
      {sizeof(sluice_mark), SLUICE_MARK_GAP, unmarked_position_, SLUICE_NO_TIME, unmarked_frames_});
  unmarked_frames_ = 0;
}

void OutputPort::drop(uint64_t frames) {
  has_dropped_ = true;
  whole_frames_ = 0;
  if (is_jumping_) {
    jumped_frames_ += frames;
    ring->jump(frames);
    return;
  }
  dropped_frames_ += frames;
  ring->drop(frames);
}

uint64_t OutputPort::patience_frames() const {
  return std::min<uint64_t>(ring->capacity_frames(), std::max(1U, format.rate_hz / 2));
}

// Writes silence that is owed, its mark first.
void OutputPort::pay_silence() {
  const uint64_t frames = ring->payable_frames();
  if (frames == 0) return;
  if (unmarked_frames_ == 0) unmarked_position_ = ring->written();
  unmarked_frames_ += frames;
  gap_frames_ += frames;
  if (2 * unmarked_frames_ >= gap_frames_) mark_gap();
  if (paid_frames_ == 0) dropped_frames_ = 0;
  paid_frames_ += frames;
  ring->fill_drops();
  if (paid_frames_ < patience_frames()) return;
  if (2 * dropped_frames_ > paid_frames_) {
    is_jumping_ = true;
    jumped_frames_ = ring->forgive_drops();
  }
  paid_frames_ = 0;
}

void OutputPort::end() {
  if (is_ended) return;
  is_ended = true;
  if (ring && ring->owed_frames() != 0) pay_silence();
  mark_gap();
  const uint64_t end = ring ? ring->written() : packet_ring->written();
  marks.write({sizeof(sluice_mark), SLUICE_MARK_END, end, SLUICE_NO_TIME, 0});
}

bool OutputPort::is_abandoned() const {
  return !edges.empty() && std::all_of(edges.begin(), edges.end(), [](const Edge* edge) {
    return edge->is_closed.load(std::memory_order_acquire);
  });
}

// ---- InputPort: marks, ends, and reading in place. Summing is in input_sum.cpp ----

void InputPort::prepare(uint32_t maximum_frames, bool is_summing) {
  marks_.resize(kMaxMarks);
  keeps_last_ = node.is_device();
  if (!is_pcm()) return;
  const size_t samples = size_t{maximum_frames} * format.channels;
  // An input of another format needs a second half: what it mixes, decoded.
  sum_ = std::make_unique_for_overwrite<float[]>(is_f32() ? samples : 2 * samples);
  if (is_summing || keeps_last_) std::memset(sum_.get(), 0, samples * sizeof(float));
  sum_frames_ = maximum_frames;
}

void InputPort::add_mark(const sluice_mark& mark) {
  if (mark_count_ == kMaxMarks) return;
  auto at = std::upper_bound(
      marks_.begin(), marks_.begin() + mark_count_, mark,
      [](const sluice_mark& a, const sluice_mark& b) { return a.position < b.position; });
  std::copy_backward(at, marks_.begin() + mark_count_, marks_.begin() + mark_count_ + 1);
  *at = mark;
  ++mark_count_;
}

void InputPort::collect_marks(Edge& edge, uint64_t up_to_stream_position) {
  if (!edge.marks.has_news()) return;
  const uint64_t lost_before = edge.marks.lost();
  while (const auto taken = edge.marks.take(up_to_stream_position)) {
    sluice_mark mark = *taken;
    if (mark.kind == SLUICE_MARK_END) continue;  // is a state, seen as the input's end
    if (mark.kind == SLUICE_MARK_SILENCE_BEGINS || mark.kind == SLUICE_MARK_SILENCE_ENDS) {
      const bool was_idle = is_idle();
      edge.is_silent = mark.kind == SLUICE_MARK_SILENCE_BEGINS;
      if (!edge.is_silent && edge.is_aligned) {
        // While it was silent the others went on without it: it takes its place anew.
        const int64_t place = static_cast<int64_t>(position_) - static_cast<int64_t>(mark.position);
        edge.offset =
            std::max(edge.offset, place + static_cast<int64_t>(edge.options.delay_frames));
      }
      if (edges.size() > 1 && is_idle() == was_idle) continue;  // another edge still sounds
    }
    const int64_t position = static_cast<int64_t>(mark.position) + edge.offset;
    mark.position = std::max(position_, static_cast<uint64_t>(std::max<int64_t>(position, 0)));
    add_mark(mark);
  }
  if (edge.marks.lost() != lost_before) edge.is_silent = edge.from.marks.state().is_silent();
}

// How far into the edge's stream marks are told to who asks for those up to `position`. One edge of
// several sounds until its last frame has been read, so it is not told to be silent before.
std::optional<uint64_t> InputPort::look_ahead(const Edge& edge, uint64_t position) const {
  if (position == UINT64_MAX && edges.size() == 1) return position;
  const auto limit = static_cast<int64_t>(position == UINT64_MAX ? position_ : position);
  const int64_t up_to = limit - edge.offset;
  return up_to >= 0 ? std::optional(static_cast<uint64_t>(up_to)) : std::nullopt;
}

bool InputPort::has_new_marks() const {
  return mark_count_ != 0 || std::any_of(edges.begin(), edges.end(), [this](const Edge* edge) {
           if (edge->is_closed || !edge->marks.has_news()) return false;
           const std::optional<uint64_t> up_to = look_ahead(*edge, UINT64_MAX);
           return up_to && edge->marks.has_news_at(*up_to);
         });
}

void InputPort::retire_marks() {
  // A threaded node takes its marks one by one.
  if (node.is_threaded()) return;
  uint32_t seen = 0;
  while (seen < mark_count_ && marks_[seen].position <= position_) ++seen;
  if (seen == 0) return;
  std::copy(marks_.begin() + seen, marks_.begin() + mark_count_, marks_.begin());
  mark_count_ -= seen;
}

bool InputPort::take_mark(uint64_t position, sluice_mark& mark) {
  for (Edge* edge : edges) {
    if (edge->is_closed) continue;
    if (!edge->is_aligned) align(*edge);
    const std::optional<uint64_t> up_to = look_ahead(*edge, position);
    if (up_to) collect_marks(*edge, *up_to);
  }
  if (mark_count_ == 0 || marks_[0].position > position) return false;
  mark = marks_[0];
  std::copy(marks_.begin() + 1, marks_.begin() + mark_count_, marks_.begin());
  --mark_count_;
  return true;
}

bool InputPort::is_idle() const {
  return std::all_of(edges.begin(), edges.end(), [](const Edge* edge) {
    const bool is_away = !edge->is_fed && !edge->is_aligned;
    return edge->is_silent || is_away || edge->is_ended();
  });
}

bool InputPort::is_ended() const {
  if (edges.empty()) return !stays_open;
  return std::all_of(edges.begin(), edges.end(), [](const Edge* edge) { return edge->is_ended(); });
}

bool InputPort::has_end() const {
  if (edges.empty()) return !stays_open;
  return std::all_of(edges.begin(), edges.end(), [](const Edge* edge) { return edge->has_end(); });
}

uint32_t InputPort::sure_frames() const {
  uint32_t most = UINT32_MAX;
  for (const Edge* edge : edges) most = std::min(most, edge->from.largest_want_frames);
  return most;
}

// Waiting longer would be waiting for ever: the writers of the others stand still then.
uint64_t InputPort::patience(const Edge& edge) const {
  const uint64_t sure = sure_frames();
  return std::min(edge.fill_after_frames.load(std::memory_order_relaxed),
                  (sure - std::min(sure, hold_frames)) / 2);
}

uint32_t InputPort::largest_want() const {
  uint64_t most = sure_frames();
  for (const Edge* edge : edges) {
    // While the input waits for a sibling, that much of this edge lies there besides.
    for (const Edge* sibling : edges) {
      if (sibling == edge ||
          sibling->fill_after_frames.load(std::memory_order_relaxed) == EdgeOptions::kNeverFill) {
        continue;
      }
      const uint64_t sure = edge->from.largest_want_frames;
      most = std::min(most, sure - std::min(sure, patience(*sibling)));
    }
  }
  return static_cast<uint32_t>(std::max<uint64_t>(most, 1));
}

int64_t InputPort::capture_of(const Edge& edge, uint64_t stream_position) const {
  const StreamTime pair = edge.from.marks.time();
  if (pair.capture_ns == SLUICE_NO_TIME) return SLUICE_NO_TIME;
  const auto delta = static_cast<int64_t>(stream_position) - static_cast<int64_t>(pair.position);
  if (delta == 0) return pair.capture_ns;
  const int64_t ns = delta >= 0 ? ns_of_frames(static_cast<uint64_t>(delta), format.rate_hz)
                                : -ns_of_frames(static_cast<uint64_t>(-delta), format.rate_hz);
  return pair.capture_ns + ns;
}

// The writer moved the cursor on: the input's timeline stays whole, the stream's jumps.
void InputPort::note_jump(Edge& edge, uint64_t lost_frames) {
  edge.note_lost(lost_frames, kOvertaken);
  edge.offset -= static_cast<int64_t>(lost_frames);
  add_mark(
      {sizeof(sluice_mark), SLUICE_MARK_DISCONTINUITY, position_, SLUICE_NO_TIME, lost_frames});
}

InputView InputPort::begin_mixed(uint32_t maximum_frames) {
  if (edges.empty()) {
    const uint32_t ended = stays_open ? 0U : uint32_t{SLUICE_INPUT_ENDED};
    is_summing_ = true;
    return {.flags = ended | SLUICE_INPUT_IDLE, .position = position_};
  }
  const uint64_t frames = std::min<uint64_t>({available(), maximum_frames, sum_frames_});
  return begin_sum(static_cast<uint32_t>(frames));
}

// How far `edge` would have been read without its delay.
uint64_t InputPort::reading_position(const Edge& edge) const {
  if (edge.options.delay_frames == 0 || !edge.is_aligned) return edge.next;
  const int64_t undelayed = edge.offset - static_cast<int64_t>(edge.options.delay_frames);
  return static_cast<uint64_t>(std::max<int64_t>(static_cast<int64_t>(position_) - undelayed, 0));
}

void InputPort::note_reading() {
  for (Edge* edge : edges) {
    if (!edge->is_timed || (is_played_later_ && is_bridge(edge->from.node))) continue;
    edge->reading.write({reading_position(*edge), node.services().clock->now_ns()});
  }
}

bool InputPort::note_played(uint64_t unplayed, int64_t time_ns) {
  is_played_later_ = false;
  bool is_bridged = false;
  for (Edge* edge : edges) {
    if (!is_bridge(edge->from.node)) continue;
    is_bridged = true;
    if (time_ns == SLUICE_NO_TIME) continue;
    is_played_later_ = true;
    // Silence played in between lies behind what was read: it takes back nothing of that.
    const uint64_t read = reading_position(*edge);
    edge->played = std::max(edge->played, read - std::min(read, unplayed));
    edge->reading.write({edge->played, time_ns});
  }
  return is_bridged;
}

void InputPort::discard(uint64_t frames, const char* reason) {
  for (Edge* edge : edges) {
    if (edge->is_closed) continue;
    if (!edge->is_aligned) align(*edge);
    const uint64_t passed = edge->pass_over(frames, reason);
    if (passed == 0) continue;
    edge->is_warm.store(true, std::memory_order_release);
    edge->offset -= static_cast<int64_t>(passed);
    add_mark({sizeof(sluice_mark), SLUICE_MARK_DISCONTINUITY, position_, SLUICE_NO_TIME, passed});
  }
}

void InputPort::close() {
  for (Edge* edge : edges) edge->close();
}

}  // namespace sluice::engine
