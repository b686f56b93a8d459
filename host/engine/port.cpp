#include "host/engine/port.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "host/engine/clock.hpp"
#include "host/engine/lane.hpp"

namespace sluice::engine {

const Ring& Edge::from_ring() const { return *from.ring; }

bool Edge::is_ended() const {
  if (is_closed.load(std::memory_order_relaxed)) return true;
  const uint64_t end = from.marks.state().end_position;
  return end != StreamState::kNever &&
         (from.is_pcm() ? cursor.position() : packets.position()) >= end;
}

uint64_t Edge::throw_away(uint64_t frames) {
  uint64_t thrown = 0;
  while (thrown < frames) {
    const auto part = static_cast<uint32_t>(std::min<uint64_t>(frames - thrown, UINT32_MAX));
    const ReadSpan span = cursor.begin_read(part);
    thrown += span.lost_frames + span.frames;
    cursor.end_read(span.frames);
    if (span.frames == 0) break;
  }
  return thrown;
}

void OutputPort::drop(uint64_t frames, Lane& lane) {
  marks.write(
      {sizeof(sluice_mark), SLUICE_MARK_GAP, ring->write_position(), SLUICE_NO_TIME, frames});
  ring->drop(frames);
  lane.note_news(*this);
}

void OutputPort::end() {
  if (is_ended) return;
  is_ended = true;
  if (ring) {
    while (ring->fill_drops() != 0 && has_readers()) {
    }
  }
  const uint64_t end = ring ? ring->written() : packet_ring->written();
  marks.write({sizeof(sluice_mark), SLUICE_MARK_END, end, SLUICE_NO_TIME, 0});
}

void InputPort::prepare(uint32_t maximum_frames) {
  marks_.resize(kMaxMarks);
  if (!is_pcm()) return;
  sum_.assign(size_t{maximum_frames} * format.channels, 0.0F);
  sum_frames_ = maximum_frames;
}

// The first sight of an edge ties its stream to the timeline of the input.
void InputPort::align(Edge& edge) {
  if (edge.is_aligned) return;
  edge.offset = static_cast<int64_t>(position_) - static_cast<int64_t>(edge.cursor.position());
  edge.is_aligned = true;
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
      if (edges.size() > 1 && is_idle() == was_idle) continue;  // another edge still sounds
    }
    const int64_t position = static_cast<int64_t>(mark.position) + edge.offset;
    mark.position = std::max(position_, static_cast<uint64_t>(std::max<int64_t>(position, 0)));
    add_mark(mark);
  }
  if (edge.marks.lost() != lost_before) edge.is_silent = edge.from.marks.state().is_silent();
}

bool InputPort::has_new_marks() const {
  return std::any_of(edges.begin(), edges.end(),
                     [](const Edge* edge) { return !edge->is_closed && edge->marks.has_news(); });
}

void InputPort::retire_marks() {
  uint32_t seen = 0;
  while (seen < mark_count_ && marks_[seen].position <= position_) ++seen;
  if (seen == 0) return;
  std::copy(marks_.begin() + seen, marks_.begin() + mark_count_, marks_.begin());
  mark_count_ -= seen;
}

bool InputPort::take_mark(uint64_t position, sluice_mark& mark) {
  for (Edge* edge : edges) {
    if (!edge->is_closed) align(*edge);
    if (!edge->is_closed) collect_marks(*edge, edge->from.ring->written());
  }
  if (mark_count_ == 0 || marks_[0].position > position) return false;
  mark = marks_[0];
  std::copy(marks_.begin() + 1, marks_.begin() + mark_count_, marks_.begin());
  --mark_count_;
  return true;
}

bool InputPort::is_idle() const {
  return std::all_of(edges.begin(), edges.end(),
                     [](const Edge* edge) { return edge->is_silent || edge->is_ended(); });
}

bool InputPort::is_ended() const {
  return std::all_of(edges.begin(), edges.end(),
                     [](const Edge* edge) { return edge->is_closed || edge->is_ended(); });
}

// Frames of the edge from the input's position on; what came too late is thrown away first.
uint64_t InputPort::aligned_available(Edge& edge) {
  align(edge);
  uint64_t fill = edge.cursor.available();
  const int64_t start = static_cast<int64_t>(edge.cursor.position()) + edge.offset;
  const int64_t late = static_cast<int64_t>(position_) - start;
  if (late > 0) {
    const uint64_t dropped = std::min(fill, static_cast<uint64_t>(late));
    if (dropped != 0) {
      edge.throw_away(dropped);
      edge.count_lost(dropped, "came too late for the sum");
      fill -= dropped;
    }
    return static_cast<uint64_t>(late) > dropped ? 0 : fill;
  }
  return fill == 0 ? 0 : fill + static_cast<uint64_t>(-late);
}

uint64_t InputPort::available() {
  if (edges.size() == 1) return edges[0]->cursor.available();
  uint64_t least = UINT64_MAX;
  uint64_t most = 0;
  uint64_t lag_allowed = 0;
  bool is_anyone_behind = false;
  for (Edge* edge : edges) {
    if (edge->is_closed) continue;
    const uint64_t frames = aligned_available(*edge);
    most = std::max(most, frames);
    if (frames == 0) {
      if (edge->is_silent || edge->is_ended()) continue;  // contributes silence, delays nobody
      is_anyone_behind = true;
      lag_allowed = std::max(lag_allowed, edge->options.fill_after_frames);
    } else if (!edge->is_silent && !edge->is_ended()) {
      least = std::min(least, frames);
    }
  }
  if (is_anyone_behind) return most > lag_allowed ? most - lag_allowed : 0;
  return least == UINT64_MAX ? most : least;
}

int64_t InputPort::capture_of(const Edge& edge, uint64_t stream_position) const {
  const StreamTime pair = edge.from.marks.time();
  if (pair.capture_ns == SLUICE_NO_TIME) return SLUICE_NO_TIME;
  const auto delta = static_cast<int64_t>(stream_position) - static_cast<int64_t>(pair.position);
  const int64_t ns = delta >= 0 ? frames_to_ns(static_cast<uint64_t>(delta), format.rate_hz)
                                : -frames_to_ns(static_cast<uint64_t>(-delta), format.rate_hz);
  return pair.capture_ns + ns;
}

// The writer moved the cursor on: the input's timeline stays whole, the stream's jumps.
void InputPort::note_jump(Edge& edge, uint64_t lost_frames) {
  edge.offset -= static_cast<int64_t>(lost_frames);
  edge.count_lost(lost_frames, "overtaken by the writer");
  add_mark(
      {sizeof(sluice_mark), SLUICE_MARK_DISCONTINUITY, position_, SLUICE_NO_TIME, lost_frames});
}

InputView InputPort::begin(uint32_t maximum_frames) {
  if (edges.empty())
    return {.flags = SLUICE_INPUT_ENDED | SLUICE_INPUT_IDLE, .position = position_};
  InputView view;
  if (is_direct()) {
    Edge& edge = *edges[0];
    align(edge);
    is_summing_ = false;
    const ReadSpan span = edge.cursor.begin_read(maximum_frames);
    if (span.lost_frames != 0) note_jump(edge, span.lost_frames);
    view = {.data = span.data, .frames = span.frames, .position = position_};
    collect_marks(edge, span.position + span.frames);
    view.capture_ns = capture_of(edge, span.position);
    if (span.frames < maximum_frames &&
        edge.from.marks.state().end_position == span.position + span.frames) {
      view.flags |= SLUICE_INPUT_ENDED;
    }
    if (edge.is_silent) view.flags |= SLUICE_INPUT_IDLE;
    return view;
  }
  const auto frames =
      static_cast<uint32_t>(std::min<uint64_t>({available(), maximum_frames, sum_frames_}));
  view = begin_sum(frames);
  if (std::all_of(edges.begin(), edges.end(), [&](const Edge* edge) {
        if (edge->is_closed) return true;
        const uint64_t end = edge->from.marks.state().end_position;
        return end != StreamState::kNever &&
               static_cast<int64_t>(end) + edge->offset <= static_cast<int64_t>(position_ + frames);
      })) {
    view.flags |= SLUICE_INPUT_ENDED;
  }
  return view;
}

InputView InputPort::begin_filled(uint32_t frames) {
  if (is_direct() && edges[0]->cursor.available() >= frames) return begin(frames);
  return begin_sum(frames);
}

InputView InputPort::begin_sum(uint32_t frames) {
  is_summing_ = true;
  InputView view{.data = sum_.data(), .frames = frames, .position = position_};
  bool is_first = true;
  for (Edge* edge : edges) {
    if (edge->is_closed) continue;
    align(*edge);
    mix(*edge, frames, is_first);
    is_first = false;
    const auto stream_position =
        static_cast<uint64_t>(static_cast<int64_t>(position_ + frames) - edge->offset);
    collect_marks(*edge, stream_position);
    const int64_t capture_ns =
        capture_of(*edge, static_cast<uint64_t>(static_cast<int64_t>(position_) - edge->offset));
    if (view.capture_ns == SLUICE_NO_TIME) view.capture_ns = capture_ns;
  }
  if (is_first) std::fill_n(sum_.begin(), size_t{frames} * format.channels, 0.0F);
  if (is_idle()) view.flags |= SLUICE_INPUT_IDLE;
  return view;
}

// Adds `frames` of the edge at the input's position to the sum. Ramps move in end(), on what was
// consumed, so they are copied here.
void InputPort::mix(Edge& edge, uint32_t frames, bool is_first) {
  const uint32_t channels = format.channels;
  const ReadSpan span = edge.cursor.begin_read(frames);
  if (span.lost_frames != 0) note_jump(edge, span.lost_frames);
  const int64_t start = static_cast<int64_t>(span.position) + edge.offset;
  const int64_t lead = start - static_cast<int64_t>(position_);
  const auto silent = static_cast<uint32_t>(std::clamp<int64_t>(lead, 0, frames));
  const auto late = static_cast<uint32_t>(std::clamp<int64_t>(-lead, 0, span.frames));
  const uint32_t there = std::min(frames - silent, span.frames - late);
  const auto* data = reinterpret_cast<const float*>(span.data) + size_t{late} * channels;
  edge.gain.to(static_cast<double>(edge.gain_target.load(std::memory_order_relaxed)));
  Ramp gain = edge.gain;
  Ramp presence = edge.presence;
  float* sum = sum_.data();
  if (is_first) std::fill_n(sum, size_t{frames} * channels, 0.0F);
  const float* held = edge.last_frame.data();
  for (uint32_t i = 0; i < frames; ++i, sum += channels) {
    const bool is_there = i >= silent && i - silent < there;
    presence.to(is_there ? 1.0 : 0.0);
    const auto factor = static_cast<float>(gain.next() * presence.next());
    if (is_there) held = data + size_t{i - silent} * channels;
    if (factor == 0.0F) continue;
    for (uint32_t c = 0; c < channels; ++c) sum[c] += held[c] * factor;
  }
  edge.cursor.end_read(0);
}

void InputPort::end(uint32_t frames) {
  if (!is_summing_) {
    if (!edges.empty()) {
      Edge& edge = *edges[0];
      edge.cursor.end_read(frames);
      if (frames != 0) {
        edge.read_frames.store(edge.read_frames.load(std::memory_order_relaxed) + frames,
                               std::memory_order_relaxed);
      }
    }
    position_ += frames;
    if (mark_count_ != 0) retire_marks();
    return;
  }
  const uint32_t channels = format.channels;
  for (Edge* edge_pointer : edges) {
    Edge& edge = *edge_pointer;
    if (edge.is_closed) continue;
    const ReadSpan span = edge.cursor.begin_read(frames);
    const int64_t lead =
        static_cast<int64_t>(span.position) + edge.offset - static_cast<int64_t>(position_);
    const auto silent = static_cast<uint32_t>(std::clamp<int64_t>(lead, 0, frames));
    const auto late = static_cast<uint32_t>(std::clamp<int64_t>(-lead, 0, span.frames));
    const uint32_t there = std::min(frames - silent, span.frames - late);
    for (uint32_t i = 0; i < frames; ++i) {
      edge.presence.to(i >= silent && i - silent < there ? 1.0 : 0.0);
      edge.gain.next();
      edge.presence.next();
    }
    if (there != 0) {
      const auto* data = reinterpret_cast<const float*>(span.data);
      std::copy_n(data + size_t{late + there - 1} * channels, channels, edge.last_frame.data());
      edge.read_frames.store(edge.read_frames.load(std::memory_order_relaxed) + there,
                             std::memory_order_relaxed);
    }
    const uint32_t missing = frames - there;
    if (missing != 0 && !edge.is_silent && !edge.is_ended()) {
      edge.filled_frames.fetch_add(missing, std::memory_order_relaxed);
      if (there != 0 || lead <= 0) edge.gaps.fetch_add(1, std::memory_order_relaxed);
    }
    if (late != 0) edge.count_lost(late, "came too late for the sum");
    edge.cursor.end_read(late + there);
  }
  position_ += frames;
  retire_marks();
}

void InputPort::discard(uint64_t frames, const char* reason) {
  for (Edge* edge : edges) {
    if (edge->is_closed) continue;
    align(*edge);
    const uint64_t thrown = edge->throw_away(frames);
    edge->offset -= static_cast<int64_t>(thrown);
    edge->count_lost(thrown, reason);
    add_mark({sizeof(sluice_mark), SLUICE_MARK_DISCONTINUITY, position_, SLUICE_NO_TIME, thrown});
  }
}

void InputPort::close() {
  for (Edge* edge : edges) {
    if (edge->is_closed) continue;
    edge->is_closed = true;
    if (is_pcm()) {
      edge->unread_frames.store(edge->cursor.available(), std::memory_order_relaxed);
      edge->cursor.detach();
    } else {
      edge->packets.detach();
    }
  }
}

}  // namespace sluice::engine
