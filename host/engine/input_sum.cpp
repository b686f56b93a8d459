// How an input sums its edges: where each stream lies on the input's timeline, what of it is there,
// what fades in its place, and the gains.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "host/engine/clock.hpp"
#include "host/engine/node.hpp"
#include "host/engine/port.hpp"
#include "host/engine/ring/bell.hpp"
#include "host/engine/samples.hpp"

namespace sluice::engine {
namespace {

bool can_fill(const Edge& edge) {
  return edge.fill_after_frames.load(std::memory_order_relaxed) != EdgeOptions::kNeverFill;
}

// Nothing leads to it any more: what it gave last falls to silence, if it has not yet.
bool is_dying_away(const Edge& edge) { return !edge.is_fed && edge.presence.value() != 0.0; }

// `to` is or becomes the sum with `from` times `gain`.
void add_steady(const float* from, float* to, size_t samples, float gain, bool is_first) {
  if (is_first && gain == 1.0F) {
    std::memcpy(to, from, samples * sizeof(float));
  } else if (is_first) {
    for (size_t i = 0; i < samples; ++i) to[i] = from[i] * gain;
  } else if (gain == 1.0F) {
    for (size_t i = 0; i < samples; ++i) to[i] += from[i];
  } else if (gain != 0.0F) {
    for (size_t i = 0; i < samples; ++i) to[i] += from[i] * gain;
  }
}

// The same with gains that move; `stride` 0 takes the same frame again and again.
void add_moving(const float* from, size_t stride, float* to, uint32_t frames, uint32_t channels,
                Ramp& gain, Ramp& presence, bool is_first) {
  for (uint32_t i = 0; i < frames; ++i, from += stride, to += channels) {
    const auto factor = static_cast<float>(gain.next() * presence.next());
    for (uint32_t c = 0; c < channels; ++c) {
      to[c] = (is_first ? 0.0F : to[c]) + from[c] * factor;
    }
  }
}

}  // namespace

// Ties the stream to the input's timeline if it has a frame to tie. Returns whether it is tied.
bool InputPort::align(Edge& edge) {
  edge.offset = static_cast<int64_t>(position_) - static_cast<int64_t>(edge.next);
  if (edge.joins_late && align_to_twin(edge)) return true;
  if (edge.cursor.available() == 0) return false;
  edge.is_aligned = true;
  const int64_t own_ns =
      can_fill(edge) || edge.joins_late ? capture_of(edge, edge.next) : int64_t{SLUICE_NO_TIME};
  for (const Edge* other : edges) {
    if (own_ns == SLUICE_NO_TIME) break;
    if (other == &edge || !other->is_aligned || other->is_closed || other->is_ended()) continue;
    const int64_t here = static_cast<int64_t>(position_) - other->offset;
    const int64_t other_ns =
        here < 0 ? int64_t{SLUICE_NO_TIME} : capture_of(*other, static_cast<uint64_t>(here));
    if (other_ns == SLUICE_NO_TIME) continue;
    const double later =
        static_cast<double>(own_ns - other_ns) * 1e-9 * static_cast<double>(format.rate_hz);
    // Times that lie further apart than what the ring holds are not of the same world.
    if (std::fabs(later) <= static_cast<double>(edge.from.ring->capacity_frames())) {
      edge.offset += std::llround(later);
    }
    break;
  }
  edge.offset += static_cast<int64_t>(edge.options.delay_frames);
  return true;
}

// Another edge brings the same stream: frame by frame to the same place, but for their delays.
bool InputPort::align_to_twin(Edge& edge) {
  for (const Edge* twin : edges) {
    if (twin == &edge || &twin->from != &edge.from || !twin->is_aligned || twin->is_closed)
      continue;
    edge.offset = twin->offset + static_cast<int64_t>(edge.options.delay_frames) -
                  static_cast<int64_t>(twin->options.delay_frames);
    edge.is_aligned = edge.has_twin = true;
    return true;
  }
  return false;
}

// All edges take their new goals between the same two frames.
void InputPort::take_targets() {
  const uint32_t called = targets_called_.load(std::memory_order_acquire);
  if (called == targets_taken_) return;
  targets_taken_ = called;
  for (Edge* edge : edges) {
    edge->goal = static_cast<double>(edge->gain_target.load(std::memory_order_relaxed));
    edge->shape = edge->target_shape.load(std::memory_order_relaxed);
    if (edge->goal != 0.0) edge->is_unheard = false;
  }
}

// Whether the input waits for this edge when it has nothing.
bool InputPort::is_limiting(const Edge& edge) const {
  if (edge.is_closed.load(std::memory_order_relaxed) || edge.is_unheard) return false;
  if (!edge.is_fed) return false;
  if (!edge.is_aligned && (edge.joins_late || can_fill(edge))) return false;
  if (edge.from.marks.count() == 0) return true;
  const StreamState state = edge.from.marks.state();
  if (state.has_ended()) return false;
  // Silence that is written out keeps its place; where nothing is written nobody can wait.
  if (state.is_silent()) return !can_fill(edge) && edge.from.written() > state.silent_since;
  return true;
}

// Frames the edge could give from the input's position on; what came too late is passed over.
uint64_t InputPort::frames_ahead(Edge& edge) {
  if (!edge.is_aligned && !align(edge)) {
    collect_marks(edge, edge.next);
    return 0;
  }
  if (edge.has_twin) {
    // What lies in front of its place was never its own. Where the writer has not come to the place
    // yet, the input waits there once the edge is to be heard.
    if (const int64_t lead = edge.lead(position_); lead < 0) {
      edge.begin_at(edge.next + static_cast<uint64_t>(-lead));
      if (edge.is_unheard && edge.lead(position_) < 0) note_warm(edge);
    }
    if (edge.lead(position_) < 0) return 0;
  } else if (edge.lead(position_) < 0) {
    const auto late = static_cast<uint64_t>(-edge.lead(position_));
    // If silence ends in there the stream takes its place anew and less of it is late.
    collect_marks(edge, edge.next + late);
    if (const int64_t lead = edge.lead(position_); lead < 0) {
      const auto frames = static_cast<uint64_t>(-lead);
      if (edge.is_unheard || edge.has_rested) {
        edge.begin_at(edge.next + frames);  // nobody was to hear it: no loss
      } else {
        edge.pass_over(frames, "came too late for the sum");
      }
    }
    if (edge.lead(position_) < 0) return 0;
  }
  return edge.cursor.available() + static_cast<uint64_t>(edge.lead(position_));
}

uint64_t InputPort::available() {
  take_targets();
  if (!is_direct()) return look_at_edges();
  return edges[0]->is_closed.load(std::memory_order_relaxed) ? 0 : edges[0]->cursor.available();
}

// What each edge has now. The view offered next is made of this alone, whatever comes meanwhile.
uint64_t InputPort::look_at_edges() {
  uint64_t most = 0;
  // Of those that are in time: what is to be heard later lies there for longer.
  int64_t most_in_time = INT64_MIN;
  const auto delay_of = [](const Edge& edge) {
    return static_cast<int64_t>(edge.options.delay_frames);
  };
  for (Edge* edge : edges) {
    edge->ahead = edge->is_closed.load(std::memory_order_relaxed) ? 0 : frames_ahead(*edge);
    edge->is_counted_on = is_limiting(*edge);
    const bool is_at_place = edge->is_unheard && edge->ahead != 0 && edge->lead(position_) <= 0;
    if (is_at_place) note_warm(*edge);
    most = std::max(most, edge->ahead);
    most_in_time = std::max(most_in_time, static_cast<int64_t>(edge->ahead) - delay_of(*edge));
  }
  uint64_t least = most;
  for (const Edge* edge : edges) {
    if (!edge->is_counted_on) continue;
    uint64_t limit = edge->ahead;
    if (can_fill(*edge)) {
      const int64_t patient =
          most_in_time + delay_of(*edge) - static_cast<int64_t>(patience(*edge));
      limit = std::max(limit, static_cast<uint64_t>(std::max<int64_t>(patient, 0)));
    }
    least = std::min(least, limit);
  }
  return least;
}

// What of the next `frames` of the input the edge has; holds the span.
void InputPort::lay_out(Edge& edge, uint32_t frames) {
  edge.part = {};
  const int64_t lead = edge.lead(position_);
  if (!edge.is_aligned || lead < 0 || (edge.ahead == 0 && !edge.is_counted_on)) {
    edge.part.is_fading =
        frames != 0 && edge.is_aligned && (edge.is_counted_on || is_dying_away(edge));
  } else {
    Edge::Part& part = edge.part;
    const auto most = static_cast<uint32_t>(std::min<uint64_t>(edge.ahead, frames));
    part.lead = static_cast<uint32_t>(std::min<int64_t>(lead, frames));
    if (part.lead < most) {
      const ReadSpan span = edge.begin_span(most - part.lead);
      if (span.lost_frames != 0) note_jump(edge, span.lost_frames);
      part.data = span.data;
      part.there = span.frames;
    }
    collect_marks(edge, edge.next + part.there);
    part.is_fading = (edge.is_counted_on || is_dying_away(edge)) &&
                     part.lead + part.there < frames && !edge.is_silent &&
                     !is_over(edge, position_ + part.lead + part.there);
  }
  if (edge.part.is_fading && edge.is_counted_on && !edge.is_in_gap) {
    const uint32_t there = edge.part.lead + edge.part.there;
    edge.is_in_gap = true;
    add_mark(
        {sizeof(sluice_mark), SLUICE_MARK_GAP, position_ + there, SLUICE_NO_TIME, frames - there});
  }
}

// The stream has ended at or before that position of the input.
bool InputPort::is_over(const Edge& edge, uint64_t input_position) const {
  if (edge.is_closed.load(std::memory_order_relaxed)) return true;
  if (edge.from.marks.count() == 0) return false;
  const uint64_t end = edge.from.marks.state().end_position;
  if (end == StreamState::kNever) return false;
  if (!edge.is_aligned) return edge.next >= end;
  return static_cast<int64_t>(end) + edge.offset <= static_cast<int64_t>(input_position);
}

InputView InputPort::begin_sum(uint32_t frames) {
  is_summing_ = true;
  InputView view{.data = sum_.get(), .frames = frames, .position = position_};
  bool is_first = true;
  for (Edge* edge : edges) {
    if (edge->is_closed.load(std::memory_order_relaxed)) continue;
    lay_out(*edge, frames);
    if (edge->part.there != 0 || edge->part.is_fading) {
      mix(*edge, frames, is_first);
      is_first = false;
    }
    if (view.capture_ns == SLUICE_NO_TIME && edge->is_aligned &&
        static_cast<int64_t>(position_) >= edge->offset) {
      view.capture_ns =
          capture_of(*edge, static_cast<uint64_t>(static_cast<int64_t>(position_) - edge->offset));
    }
  }
  if (is_first) std::fill_n(sum_.get(), size_t{frames} * format.channels, 0.0F);
  if (!is_f32()) {
    const size_t samples = size_t{frames} * format.channels;
    from_floats(format.sample_format, sum_.get(), sum_.get(), samples);
  }
  if (is_idle()) view.flags |= SLUICE_INPUT_IDLE;
  const bool is_all_over = std::all_of(edges.begin(), edges.end(), [&](const Edge* edge) {
    return is_over(*edge, position_ + frames);
  });
  if (is_all_over && !(edges.empty() && stays_open)) view.flags |= SLUICE_INPUT_ENDED;
  return view;
}

InputView InputPort::begin_filled(uint32_t frames) {
  take_targets();
  if (is_direct() && edges[0]->cursor.available() >= frames) return begin_direct(frames);
  look_at_edges();
  return begin_sum(std::min(frames, sum_frames_));
}

// Adds the edge's part to the sum. Ramps move in end_sum, on what was consumed, so copies do here.
void InputPort::mix(Edge& edge, uint32_t frames, bool is_first) {
  const uint32_t channels = format.channels;
  const Edge::Part& part = edge.part;
  edge.gain.to(edge.goal, edge.shape);
  Ramp gain = edge.gain;
  Ramp presence = edge.presence;
  float* sum = sum_.get();
  if (part.lead != 0) {
    if (is_first) std::fill_n(sum, size_t{part.lead} * channels, 0.0F);
    for (uint32_t i = 0; i < part.lead && gain.is_moving(); ++i) gain.next();
    sum += size_t{part.lead} * channels;
  }
  const float* data = reinterpret_cast<const float*>(part.data);
  if (!is_f32() && part.there != 0) {
    float* decoded = sum_.get() + size_t{sum_frames_} * channels;
    to_floats(format.sample_format, part.data, decoded, size_t{part.there} * channels);
    data = decoded;
  }
  uint32_t done = 0;
  if (part.there != 0) presence.to(1.0);
  if (gain.is_moving() || presence.is_moving()) {
    done = std::min(part.there, std::max(gain.frames_left(), presence.frames_left()));
    add_moving(data, channels, sum, done, channels, gain, presence, is_first);
  }
  if (done < part.there) {
    const size_t at = size_t{done} * channels;
    add_steady(data + at, sum + at, size_t{part.there - done} * channels,
               static_cast<float>(gain.value() * presence.value()), is_first);
  }
  sum += size_t{part.there} * channels;
  uint32_t missing = frames - part.lead - part.there;
  if (part.is_fading) {
    presence.to(0.0);
    const float* held =
        part.there != 0 ? data + size_t{part.there - 1} * channels : edge.last_frame.data();
    const uint32_t fading = std::min(missing, presence.frames_left());
    add_moving(held, 0, sum, fading, channels, gain, presence, is_first);
    sum += size_t{fading} * channels;
    missing -= fading;
  }
  if (is_first) std::fill_n(sum, size_t{missing} * channels, 0.0F);
}

// Moves the edge's ramps by `frames` frames of its part, as mix did on copies.
void InputPort::move_ramps(Edge& edge, uint32_t frames) {
  const Edge::Part& part = edge.part;
  for (uint32_t i = 0; i < frames && edge.gain.is_moving(); ++i) edge.gain.next();
  const uint32_t lead = std::min(part.lead, frames);
  const uint32_t there = std::min(part.there, frames - lead);
  if (there != 0) {
    edge.presence.to(1.0);
    for (uint32_t i = 0; i < there && edge.presence.is_moving(); ++i) edge.presence.next();
  }
  const uint32_t missing = frames - lead - there;
  if (missing != 0 && part.is_fading) {
    edge.presence.to(0.0);
    for (uint32_t i = 0; i < missing && edge.presence.is_moving(); ++i) edge.presence.next();
  }
}

void InputPort::keep_last(Edge& edge, uint32_t frames) {
  const size_t last = size_t{frames - 1} * frame_bytes;
  to_floats(format.sample_format, direct_data_ + last, edge.last_frame.data(), format.channels);
}

// It may be turned up.
void InputPort::note_warm(Edge& edge) {
  if (edge.is_warm.load(std::memory_order_relaxed)) return;
  edge.is_warm.store(true, std::memory_order_release);
  if (edge.is_unheard && node.services().changes) node.services().changes->ring_if_waiting();
}

void InputPort::end_sum(uint32_t frames) {
  for (Edge* edge_pointer : edges) {
    Edge& edge = *edge_pointer;
    if (edge.is_closed.load(std::memory_order_relaxed)) continue;
    const Edge::Part part = edge.part;
    const uint32_t lead = std::min(part.lead, frames);
    const uint32_t there = std::min(part.there, frames - lead);
    if (frames != 0 && edge.is_aligned) {
      move_ramps(edge, frames);
      if (there != 0) {
        to_floats(format.sample_format, part.data + size_t{there - 1} * frame_bytes,
                  edge.last_frame.data(), format.channels);
        edge.note_read(there);
        edge.is_in_gap = edge.is_gap_counted = edge.has_twin = edge.has_rested = false;
      }
      const uint32_t missing = frames - lead - there;
      if (missing != 0 && part.is_fading) {
        if (edge.is_counted_on) {
          Edge::count(edge.filled_frames, missing);
          if (!std::exchange(edge.is_gap_counted, true)) Edge::count(edge.gaps, 1);
        }
        const bool keeps_place = edge.is_counted_on && can_fill(edge);
        const bool can_wait = edge.is_counted_on && !keeps_place;
        if (!keeps_place) edge.offset += missing;  // what can wait comes later, but comes
        if (!can_wait && edge.presence.value() == 0.0) {
          edge.is_aligned = false;  // heard as a gap; what comes next is played from then on
          edge.has_rested = !edge.is_counted_on;
        }
      } else if (missing != 0 && !edge.has_twin && !edge.is_silent &&
                 !is_over(edge, position_ + lead + there)) {
        edge.offset += missing;  // nobody counted on it; it takes its place behind this view
      }
    }
    edge.end_span(there);
    edge.part = {};
    if (there != 0) note_warm(edge);
    edge.is_plain = edge.gain.target() == 1.0 && !edge.gain.is_moving() &&
                    edge.presence.target() == 1.0 && !edge.presence.is_moving() &&
                    edge.is_aligned && edge.lead(position_ + frames) == 0;
    if (edge.is_leaving.load(std::memory_order_relaxed) &&
        ((edge.gain.value() == 0.0 && edge.gain.target() == 0.0 && edge.goal == 0.0) ||
         !edge.is_aligned)) {
      edge.has_faded.store(true, std::memory_order_release);
    }
  }
}

}  // namespace sluice::engine
