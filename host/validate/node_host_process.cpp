// Passive nodes under NodeHost: blocks in, blocks out, and a look at each.
#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "host/support/audio_section.hpp"
#include "host/validate/call_class.hpp"
#include "host/validate/child.hpp"
#include "host/validate/node_host.hpp"
#include "host/validate/samples.hpp"

namespace sluice::validate {
namespace {

constexpr size_t kFenceBytes = 256;
constexpr std::byte kFence{0xA5};
// What room holds before the node writes: as f32 a value that no signal has.
constexpr std::byte kUnwritten{0x7E};
// A node that makes no progress in so many calls with all it could want before it never will.
constexpr uint32_t kPatientCalls = 1000;

// A span with a fence on both sides, or with forbidden memory right behind it.
class Fenced {
 public:
  Fenced(size_t bytes, Fence fence) : bytes_(bytes), fence_(fence) {
    if (fence_ == Fence::kBytes) {
      memory_.assign(bytes + 2 * kFenceBytes, kFence);
      data_ = memory_.data() + kFenceBytes;
      return;
    }
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = (bytes + page - 1) / page * page;
    mapped_bytes_ = used + page;
    mapping_ =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) std::abort();
    data_ = static_cast<std::byte*>(mapping_) + used - bytes;
    if (mprotect(data_ + bytes, page, PROT_NONE) != 0) std::abort();
  }
  ~Fenced() {
    if (mapping_) munmap(mapping_, mapped_bytes_);
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  std::span<std::byte> span() { return {data_, bytes_}; }
  bool is_intact() const {
    if (fence_ == Fence::kPages) return true;
    const auto is_fence = [](std::byte b) { return b == kFence; };
    const std::span<const std::byte> all(memory_);
    return std::ranges::all_of(all.first(kFenceBytes), is_fence) &&
           std::ranges::all_of(all.last(kFenceBytes), is_fence);
  }

 private:
  size_t bytes_;
  Fence fence_;
  std::vector<std::byte> memory_;
  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
  std::byte* data_ = nullptr;
};

int64_t thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void NodeHost::feed(Port& port, uint64_t frames, Signal signal) {
  const uint64_t samples = frames * port.format.channels;
  std::vector<float> values(samples);
  for (uint64_t i = 0; i < samples; ++i) {
    switch (signal) {
      case Signal::kNoise:
        values[i] = static_cast<float>(2 * random() - 1);
        break;
      case Signal::kSquare:
        values[i] = (port.frames_fed + i / port.format.channels) / 50 % 2 == 0 ? 1.0F : -1.0F;
        break;
      case Signal::kDenormals:
        values[i] = i % 2 == 0 ? 1e-40F : -1e-42F;
        break;
      case Signal::kConstant:
        values[i] = 0.25F;
        break;
      case Signal::kImpulse:
        values[i] = port.frames_fed == 0 && i < port.format.channels ? 1.0F : 0.0F;
        break;
      case Signal::kNan:
        values[i] = i % 7 == 0 ? NAN : i % 7 == 1 ? INFINITY : 0.5F;
        break;
      case Signal::kSilence:
        break;
    }
  }
  append_samples(port.data, values, port.format.sample_format);
  port.frames_fed += frames;
}

NodeHost::Outcome NodeHost::call(const Cut& cut, std::span<const uint32_t> offered, uint32_t room,
                                 bool is_last) {
  std::vector<std::unique_ptr<Fenced>> in_memory, out_memory;
  std::vector<sluice_input> inputs;
  std::vector<sluice_output> outputs;
  std::vector<std::vector<sluice_mark>> marks(ports_.size());
  size_t input = 0;
  bool has_event_cause = !events_.empty();
  for (size_t i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    if (port.is_input()) {
      sluice_input in{};
      in.struct_size = sizeof(in);
      in.capture_ns = SLUICE_NO_TIME;
      in.position = port.frames_read;
      const uint32_t frames = port.is_pcm() && port.is_connected ? offered[input] : 0;
      const bool reaches_end = is_last && frames == port.frames_left();
      in.flags = reaches_end || !port.is_connected ? uint32_t{SLUICE_INPUT_ENDED} : 0U;
      if (!port.is_connected) in.flags |= SLUICE_INPUT_IDLE;
      if (port.is_pcm()) {
        in.frames = frames;
        in_memory.push_back(std::make_unique<Fenced>(size_t{frames} * port.frame_bytes, cut.fence));
        std::copy_n(port.data.data(), in_memory.back()->span().size(),
                    in_memory.back()->span().data());
        in.data = port.is_connected ? in_memory.back()->span().data() : nullptr;
        for (const sluice_mark& mark : port.marks) {
          if (mark.position <= port.frames_read + frames) marks[i].push_back(mark);
        }
        in.marks = marks[i].data();
        in.mark_count = static_cast<uint32_t>(marks[i].size());
      } else if (is_last && port.packets.empty()) {
        in.flags = SLUICE_INPUT_ENDED;
      }
      inputs.push_back(in);
      ++input;
    } else {
      sluice_output out{};
      out.struct_size = sizeof(out);
      out.capture_ns = SLUICE_NO_TIME;
      out.position = port.frames_written;
      if (port.is_pcm()) {
        out.frames = room;
        out_memory.push_back(std::make_unique<Fenced>(size_t{room} * port.frame_bytes, cut.fence));
        std::ranges::fill(out_memory.back()->span(), kUnwritten);
        out.data = out_memory.back()->span().data();
      }
      outputs.push_back(out);
    }
  }
  std::vector<sluice_event> events = std::exchange(events_, {});
  sluice_block block{sizeof(block),
                     static_cast<uint32_t>(inputs.size()),
                     static_cast<uint32_t>(outputs.size()),
                     static_cast<uint32_t>(events.size()),
                     inputs.data(),
                     outputs.data(),
                     events.data()};
  const auto* passive = static_cast<const sluice_passive*>(interface(SLUICE_PASSIVE));
  doing(fmt::format("process with {} frames and room for {}", inputs.empty() ? 0 : inputs[0].frames,
                    room));
  Outcome outcome;
  const int64_t begin_ns = thread_cpu_ns();
  {
    const support::AudioSection audio;
    outcome.status = in_call(CallClass::kAudio, [&] { return passive->process(node_, &block); });
  }
  const auto took_ns = static_cast<uint64_t>(thread_cpu_ns() - begin_ns);
  block_largest_ns_ = static_cast<uint32_t>(std::max<uint64_t>(block_largest_ns_, took_ns));
  block_total_ns_ += took_ns;
  ++blocks_;

  size_t pcm = 0;
  for (size_t i = 0, in = 0; i < ports_.size(); ++i) {
    if (!ports_[i].is_input()) continue;
    if (ports_[i].is_pcm()) {
      Fenced& memory = *in_memory[pcm++];
      if (!memory.is_intact() ||
          std::memcmp(memory.span().data(), ports_[i].data.data(), memory.span().size()) != 0) {
        violate(fmt::format("process writes to its input {}.", ports_[i].declared->key));
      }
    }
    ++in;
  }
  pcm = 0;
  for (const Port& port : ports_) {
    if (port.is_input() || !port.is_pcm()) continue;
    if (!out_memory[pcm++]->is_intact()) {
      violate(fmt::format("process writes beyond the {} frames of room at its output {}.", room,
                          port.declared->key));
    }
  }
  if (!look_after(cut, inputs, outputs, outcome.status)) has_failed_call_ = true;
  for (const sluice_input& in : inputs) outcome.has_moved |= in.consumed != 0;
  for (const sluice_output& out : outputs) outcome.has_moved |= out.produced != 0;
  outcome.has_moved |= has_event_cause;
  return outcome;
}

bool NodeHost::look_after(const Cut& cut, std::span<sluice_input> inputs,
                          std::span<sluice_output> outputs, sluice_status status) {
  if (status < SLUICE_STATUS_CONTINUE || status > SLUICE_STATUS_FAILED) {
    violate(fmt::format("process answers {}, which is no status; see sluice_status.", status));
    return false;
  }
  if (status == SLUICE_STATUS_FAILED) {
    if (sentence_.empty())
      violate("process fails and says no sentence; give host->fail a literal.");
    return false;
  }
  if (!sentence_.empty()) {
    violate(fmt::format("process calls fail (\"{}\") and does not answer SLUICE_STATUS_FAILED.",
                        std::exchange(sentence_, {})));
  }
  if (!are_slots_intact()) violate("it writes behind its statistics.");
  bool is_sound = true;
  size_t in = 0, out = 0;
  for (Port& port : ports_) {
    if (port.is_input()) {
      sluice_input& given = inputs[in++];
      if (!port.is_pcm()) continue;
      if (given.consumed > given.frames) {
        violate(fmt::format("process says that it consumed {} of {} frames at {}.", given.consumed,
                            given.frames, port.declared->key));
        given.consumed = given.frames;
        is_sound = false;
      }
      port.data.erase(port.data.begin(),
                      port.data.begin() +
                          static_cast<std::ptrdiff_t>(size_t{given.consumed} * port.frame_bytes));
      port.frames_read += given.consumed;
      while (!port.marks.empty() && port.marks.front().position <= port.frames_read) {
        port.marks.pop_front();
      }
      port.wanted = status == SLUICE_STATUS_NEED_INPUT ? given.wanted : 0;
    } else {
      sluice_output& given = outputs[out++];
      if (!port.is_pcm()) continue;
      if (given.produced > given.frames) {
        violate(
            fmt::format("process says that it produced {} frames at {}, where there was room "
                        "for {}.",
                        given.produced, port.declared->key, given.frames));
        given.produced = given.frames;
        is_sound = false;
      }
      const auto* bytes = static_cast<const std::byte*>(given.data);
      const size_t count = size_t{given.produced} * port.frame_bytes;
      if (count != 0 && port.format.sample_format == SLUICE_SAMPLE_F32 &&
          cut.signal != Signal::kNan) {
        const std::vector<float> values = to_floats({bytes, count}, SLUICE_SAMPLE_F32);
        for (const float value : values) {
          if (std::bit_cast<uint32_t>(value) == 0x7E7E7E7E) {
            violate(
                fmt::format("process says that it produced {} frames at {} and did not write "
                            "all of them.",
                            given.produced, port.declared->key));
            break;
          }
        }
      }
      port.written.insert(port.written.end(), bytes, bytes + count);
      port.frames_written += given.produced;
    }
  }
  if ((type_.flags & SLUICE_TYPE_EQUAL_COUNTS) != 0 && !inputs.empty() && is_sound) {
    const sluice_input& given = inputs[0];
    const bool is_behind_end =
        (given.flags & SLUICE_INPUT_ENDED) != 0 && given.consumed == given.frames;
    for (const sluice_output& made : outputs) {
      if (made.produced == given.consumed) continue;
      if (is_behind_end && made.produced > given.consumed) continue;
      violate(
          fmt::format("its flag SLUICE_TYPE_EQUAL_COUNTS promises as many frames out as in; "
                      "process consumed {} and produced {}.",
                      given.consumed, made.produced));
    }
  }
  return is_sound;
}

bool NodeHost::play(const Cut& cut) {
  uint32_t limit = cut.block_frames;
  uint32_t most_room = cut.room_frames != 0 ? cut.room_frames : cut.block_frames;
  std::vector<Port*> inputs;
  for (Port& port : ports_) {
    const uint32_t most = port.setup->max_block_frames;
    if (most != 0 && port.is_input()) limit = std::min(limit, most);
    if (most != 0 && !port.is_input()) most_room = std::max(most_room, most);
    if (!port.is_input()) continue;
    inputs.push_back(&port);
    if (port.is_pcm() && port.is_connected) feed(port, cut.frames, cut.signal);
    for (uint32_t i = 0; !port.is_pcm() && i < 50; ++i) {
      Packet packet;
      packet.head.struct_size = sizeof(packet.head);
      packet.head.sequence = i;
      packet.head.position = uint64_t{i} * 960;
      packet.head.duration_frames = 960;
      packet.head.capture_ns = packet.head.arrival_ns = SLUICE_NO_TIME;
      packet.data.resize(1 + next_random() % 1400);
      for (std::byte& byte : packet.data) byte = static_cast<std::byte>(next_random());
      packet.head.size_bytes = static_cast<uint32_t>(packet.data.size());
      port.packets.push_back(std::move(packet));
    }
  }
  const auto up_to = [&](uint64_t most) {
    return cut.seed == 0 ? most : next_random() % (most + 1);
  };
  if (cut.seed != 0) random_state_ ^= cut.seed;
  const uint64_t output_limit = produced() + cut.frames * 64 + 1'000'000;
  std::vector<uint32_t> offered(inputs.size());
  for (uint32_t idle_calls = 0;;) {
    bool is_all_offered = true;
    uint64_t most = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Port& port = *inputs[i];
      if (!port.is_pcm() || !port.is_connected) continue;
      uint64_t frames = std::min<uint64_t>(up_to(limit), port.frames_left());
      frames = std::max<uint64_t>(frames, std::min<uint64_t>(port.wanted, port.frames_left()));
      offered[i] = static_cast<uint32_t>(frames);
      is_all_offered &= frames == port.frames_left();
      most = std::max(most, frames);
    }
    const auto room = static_cast<uint32_t>(cut.seed == 0 ? std::max<uint64_t>(most, most_room)
                                                          : up_to(2 * most_room));
    if (cut.before_call) cut.before_call(consumed());
    const Outcome outcome = call(cut, offered, room, cut.is_ended);
    if (has_failed_call_) return false;
    if (outcome.status == SLUICE_STATUS_DRAINED) return true;
    // A source has no end of its own.
    if (inputs.empty() && produced() >= cut.frames) return true;
    if (outcome.has_moved) {
      idle_calls = 0;
    } else if (++idle_calls > kPatientCalls ||
               (is_all_offered && !cut.is_ended && room >= most_room && idle_calls > 16)) {
      if (!cut.is_ended && is_all_offered) return true;
      violate(
          fmt::format("process makes no progress: with {} frames and room for {} it answers {} "
                      "and moves nothing, again and again.",
                      most, room, outcome.status));
      return false;
    }
    if (produced() > output_limit) {
      violate("process goes on producing long after its input has ended.");
      return false;
    }
  }
}

}  // namespace sluice::validate
