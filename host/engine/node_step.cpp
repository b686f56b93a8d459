// One step of a passive node: offer, process, settle. Everything here is [audio].
#include <algorithm>
#include <sluice/frames.hpp>

#include "host/engine/lane.hpp"
#include "host/engine/node.hpp"

namespace sluice::engine {

void Node::add_event(const sluice_event& event) {
  if (block_.event_count < kMaxEvents) events_[block_.event_count++] = event;
}

void Node::collect_events() {
  if (parameters_changed_.load(std::memory_order_relaxed) && take_parameter_change()) {
    for (uint32_t i = 0; i < parameters_.size(); ++i) {
      if (!parameters_[i].is_changed.exchange(false, std::memory_order_acq_rel)) continue;
      add_event({.struct_size = sizeof(sluice_event),
                 .kind = SLUICE_EVENT_PARAMETER,
                 .frame = 0,
                 .index = i,
                 .code = 0,
                 .value = parameters_[i].number.load(std::memory_order_relaxed)});
    }
  }
  if (!has_upstream_news.load(std::memory_order_relaxed) ||
      !has_upstream_news.exchange(false, std::memory_order_acquire)) {
    return;
  }
  for (const auto& output : outputs) {
    for (Edge* edge : output->edges) {
      while (const uint32_t code = edge->upstream.pop()) {
        add_event({.struct_size = sizeof(sluice_event),
                   .kind = SLUICE_EVENT_UPSTREAM,
                   .frame = 0,
                   .index = output->port_index,
                   .code = code,
                   .value = 0.0});
        for (const auto& input : inputs) lane->tell_upstream(*input, code);
      }
    }
  }
}

// Fills in the block's inputs. Returns whether any of them is a reason to call the node.
bool Node::offer_inputs(uint32_t block_frames) {
  bool has_cause = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    InputPort& port = *inputs[i];
    sluice_input& in = block_inputs_[i];
    in.consumed = 0;
    if (!port.is_pcm()) {
      const bool is_over = port.is_ended();
      in.flags = is_over ? uint32_t{SLUICE_INPUT_ENDED} : 0U;
      has_cause |= is_over || port.has_packets();
      continue;
    }
    const uint32_t wanted = std::max(1U, wanted_[i]);
    uint32_t limit = block_frames;
    if (port.max_block_frames != 0) limit = std::min(limit, port.max_block_frames);
    limit = std::max(limit, wanted);
    offered_limit_[i] = limit;
    const InputView view = port.begin(limit);
    in.flags = view.flags;
    in.data = view.data;
    in.frames = view.frames;
    in.wanted = 0;
    in.position = view.position;
    in.capture_ns = view.capture_ns;
    const auto marks = port.marks();
    in.marks = marks.data();
    in.mark_count = static_cast<uint32_t>(marks.size());
    has_cause |= view.frames >= wanted || (view.flags & SLUICE_INPUT_ENDED) != 0 ||
                 (!marks.empty() && marks.front().position <= view.position + view.frames);
  }
  return has_cause;
}

// More room than it has input is of no use to a node that makes one frame of each, before the end.
uint32_t Node::useful_room(uint32_t limit) const {
  if (!has_equal_counts_ || block_inputs_.size() != 1 || !inputs[0]->is_pcm()) return limit;
  const sluice_input& in = block_inputs_[0];
  return (in.flags & SLUICE_INPUT_ENDED) != 0 ? limit : std::min(limit, std::max(1U, in.frames));
}

bool Node::offer_outputs(uint32_t block_frames) {
  bool has_room = outputs.empty();
  const bool has_input = !block_inputs_.empty() && inputs[0]->is_pcm();
  const int64_t capture_ns = has_input ? block_inputs_[0].capture_ns : int64_t{SLUICE_NO_TIME};
  for (size_t i = 0; i < outputs.size(); ++i) {
    OutputPort& port = *outputs[i];
    sluice_output& out = block_outputs_[i];
    out.flags = 0;
    out.produced = 0;
    if (!port.is_pcm()) {
      has_room = true;
      continue;
    }
    const uint32_t limit =
        port.max_block_frames != 0 ? std::max(port.max_block_frames, block_frames) : block_frames;
    const WriteSpan span = port.begin(useful_room(limit));
    out.data = span.data;
    out.frames = span.frames;
    out.position = span.position;
    out.capture_ns = capture_ns;
    if (capture_ns != SLUICE_NO_TIME && port.latency_frames != 0) {
      out.capture_ns -= ns_of_frames(port.latency_frames, port.format.rate_hz);
    }
    has_room |= span.frames != 0;
  }
  return has_room;
}

void Node::release_inputs() {
  for (const auto& input : inputs) {
    if (input->is_pcm()) input->end(0);
  }
}

// Everybody who ever read it is done: so is the node, lest it hold up those who share its sources.
bool Node::is_abandoned() const {
  if (outputs.empty()) return false;
  bool was_read = false;
  for (const auto& output : outputs) {
    if (output->edges.empty()) continue;
    if (!output->is_abandoned()) return false;
    was_read = true;
  }
  return was_read;
}

// Marks of the consumed frames reappear at the outputs, later by the latency.
void Node::forward_marks(const sluice_input& in) {
  for (uint32_t m = 0; m < in.mark_count; ++m) {
    const sluice_mark& mark = in.marks[m];
    if (mark.position > in.position + in.consumed) break;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i]->is_pcm()) continue;
      sluice_mark forwarded = mark;
      forwarded.position =
          mark.position - in.position + block_outputs_[i].position + outputs[i]->latency_frames;
      outputs[i]->marks.write(forwarded);
      lane->note_news(*outputs[i]);
    }
  }
}

uint32_t Node::step(uint32_t block_frames, bool is_metered) {
  if (is_finished_.load(std::memory_order_relaxed)) return kIdle;
  const bool is_called = has_events();
  const bool has_input = offer_inputs(block_frames);
  if (!has_input && !is_called && !inputs.empty()) {
    release_inputs();
    return kIdle;
  }
  if (!offer_outputs(block_frames)) {
    release_inputs();
    if (!is_abandoned()) return kBlocked;
    finish(NodeState::kFinished);
    return kMoved | kAgain;
  }
  block_.event_count = 0;
  if (is_called) collect_events();
  const int64_t begin_ns = is_metered ? services_.clock->now_ns() : 0;
  packet_moves = 0;
  const sluice_status status = process_(node_, &block_);
  if (is_metered) {
    busy_ns.fetch_add(static_cast<uint64_t>(services_.clock->now_ns() - begin_ns),
                      std::memory_order_relaxed);
    calls.fetch_add(1, std::memory_order_relaxed);
  }
  return settle(status, is_metered);
}

// Publishes what the node did, after checking it.
uint32_t Node::settle(sluice_status status, bool is_metered) {
  for (sluice_input& in : block_inputs_) {
    if (in.consumed <= in.frames) continue;
    in.consumed = in.frames;
    violations.fetch_add(1, std::memory_order_relaxed);
  }
  // Before the frames they belong to.
  if (has_equal_counts() && !block_inputs_.empty() && block_inputs_[0].mark_count != 0) {
    forward_marks(block_inputs_[0]);
  }
  uint32_t outcome = settle_outputs(is_metered);
  outcome |= settle_inputs(status, outcome);
  if (block_.event_count != 0 || packet_moves != 0) outcome |= kMoved | kAgain;
  if (status == SLUICE_STATUS_CONTINUE || status == SLUICE_STATUS_NEED_INPUT ||
      status == SLUICE_STATUS_NEED_ROOM) {
    return outcome;
  }
  finish(status == SLUICE_STATUS_DRAINED ? NodeState::kFinished : NodeState::kFailed);
  return kMoved | kAgain;
}

uint32_t Node::settle_outputs(bool is_metered) {
  uint32_t outcome = kIdle;
  for (size_t i = 0; i < outputs.size(); ++i) {
    sluice_output& out = block_outputs_[i];
    OutputPort& port = *outputs[i];
    if (!port.is_pcm()) {
      if (packet_moves != 0) lane->note_commit(port);
      continue;
    }
    if (out.produced > out.frames) {
      out.produced = out.frames;
      violations.fetch_add(1, std::memory_order_relaxed);
    }
    // Where it was given no more room than it has input, that was not what stopped it.
    if (out.produced == out.frames && out.frames != useful_room(out.frames + 1)) {
      outcome |= kBlocked;
    }
    if (out.produced == 0) {
      port.ring->end_write(0);
      continue;
    }
    if (is_metered) port.meter.add(out.data, out.produced, port.format);
    port.commit(out.produced, out.capture_ns);
    lane->note_commit(port);
    outcome |= kMoved;
  }
  return outcome;
}

uint32_t Node::settle_inputs(sluice_status status, uint32_t moved) {
  uint32_t outcome = kIdle;
  bool is_exhausted = true;
  bool has_consumed = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    InputPort& port = *inputs[i];
    if (!port.is_pcm()) {
      if (packet_moves != 0) lane->note_release(port);
      if (port.has_packets()) outcome |= kBlocked;
      continue;
    }
    const sluice_input& in = block_inputs_[i];
    // More than can ever be there would be waited for without end.
    const uint32_t wanted =
        status == SLUICE_STATUS_NEED_INPUT ? std::min(in.wanted, port.largest_view()) : 0;
    if (wanted > in.frames && in.frames == offered_limit_[i]) outcome |= kAgain;
    wanted_[i] = wanted;
    const size_t marks_before = port.marks().size();
    port.end(in.consumed);
    // All that was there is consumed: nothing to call again for.
    is_exhausted &= in.consumed == in.frames && (in.flags & SLUICE_INPUT_ENDED) == 0 &&
                    (in.frames != offered_limit_[i] || !port.has_more());
    // It left some, and not because it was too little: more room may be what it needs.
    if (in.consumed != in.frames && status != SLUICE_STATUS_NEED_INPUT) outcome |= kBlocked;
    if (in.consumed != 0) {
      lane->note_release(port);
      has_consumed = true;
      outcome |= kMoved;
    } else if (port.marks().size() != marks_before) {
      outcome |= kMoved;
    }
  }
  if (((outcome | moved) & kMoved) != 0 && !(is_exhausted && has_consumed)) outcome |= kAgain;
  return outcome;
}

}  // namespace sluice::engine
