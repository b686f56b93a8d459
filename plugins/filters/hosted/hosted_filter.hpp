// A node that runs a guest; the base of the two bridges.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <sluice/sluice.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest_type.hpp"
#include "rack.hpp"

namespace hosted {

// T, the node class, declares besides kInfo
//   static constexpr const char* kIdentity               the key of the parameter that names a
//   guest static constexpr const char* kSystem                 whose the guests are static
//   std::vector<Guest> all(remark)                every guest there is; remark(sentence) static
//   Guest find(std::string_view name)             throws sluice::Failure static
//   std::unique_ptr<Instance> make(const Guest& guest, uint32_t rate_hz)    likewise
// all [control].
template <typename T>
class HostedFilter : public sluice::Passive<T> {
 public:
  static constexpr uint32_t kTypeFlags = SLUICE_TYPE_EQUAL_COUNTS;
  static constexpr const auto& kPorts = sluice::kFilterPorts;

  static void list_members(const sluice::MemberListing& listing) {
    const auto remark = [&](const std::string& sentence) { listing.remark(sentence); };
    for (const Guest& guest : T::all(remark)) {
      listing.member({guest.name, guest.title, T::kSystem, guest.remark});
    }
  }

  static const sluice_type* find_member(std::string_view name) { return &known(name).type->type(); }

  void describe(uint32_t, const sluice_format*, sluice_port_info&) { known(this->text(kIdentity)); }

  void prepare(sluice::Setup& setup) {
    const Known& mine = known(this->text(kIdentity));
    std::vector<double> values;
    for (size_t i = 0; i < mine.guest.controls.size(); ++i) {
      values.push_back(this->number(kFirstControl + static_cast<uint32_t>(i)));
    }
    meters_ = mine.guest.meters.size();
    rack_.prepare(mine.guest, values, setup.channels(), setup.rate_hz(),
                  [&](uint32_t rate_hz) { return T::make(mine.guest, rate_hz); });
    in_channels_ = setup.channels();
    tail_frames_ = rack_.latency_frames();
    setup.port(1).latency_frames = rack_.latency_frames();
  }
  void release() noexcept { rack_.release(); }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const uint32_t frames = std::min(in.frames, out.frames);
    const float* from = static_cast<const float*>(in.data);
    float* to = static_cast<float*>(out.data);
    uint32_t done = 0;
    const auto run_to = [&](uint32_t end) {
      rack_.run(from + size_t{done} * in_channels_, to + size_t{done} * rack_.out_channels(),
                end - done);
      done = end;
    };
    for (const sluice_event& event : std::span(block.events, block.event_count)) {
      run_to(std::clamp(event.frame, done, frames));
      if (event.kind == SLUICE_EVENT_PARAMETER && event.index >= kFirstControl) {
        rack_.set(event.index - kFirstControl, event.value);
      }
    }
    run_to(frames);
    in.consumed = out.produced = frames;
    for (size_t i = 0; i < meters_; ++i) this->set(static_cast<uint32_t>(i), rack_.meter(i));
    if (!(in.flags & SLUICE_INPUT_ENDED) || frames < in.frames) return SLUICE_STATUS_CONTINUE;

    // What the guest still holds comes out behind the end.
    static constexpr float kSilence[SLUICE_MAX_CHANNELS * 16] = {};
    const auto most = static_cast<uint32_t>(std::size(kSilence)) / in_channels_;
    while (tail_frames_ != 0 && out.produced < out.frames) {
      const uint32_t part = std::min({tail_frames_, out.frames - out.produced, most});
      rack_.run(kSilence, to + size_t{out.produced} * rack_.out_channels(), part);
      out.produced += part;
      tail_frames_ -= part;
    }
    return tail_frames_ == 0 ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_NEED_ROOM;
  }

 private:
  struct Known {
    Guest guest;
    std::unique_ptr<sluice::MadeType> type;
  };
  // Kept for good, as types have to be.
  static const Known& known(std::string_view name) {
    static auto* const all = new std::map<std::string, Known, std::less<>>;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (const auto found = all->find(name); found != all->end()) return found->second;
    if (name.empty()) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            std::string("Say which plugin it is to host, as ") + T::kInfo.id +
                                "/NAME; 'sluice plugins --hosted' lists those there are."};
    }
    Guest guest = T::find(name);
    guest.name = name;
    if (!guest.remark.empty()) {
      throw sluice::Failure{SLUICE_ERROR_UNSUPPORTED, guest.title + ": " + guest.remark};
    }
    auto type = std::make_unique<sluice::MadeType>(sluice::TypeOf<T>::kType, std::string(name));
    hosted::describe(guest, T::kIdentity, *type);
    type->type();
    return all->emplace(std::string(name), Known{std::move(guest), std::move(type)}).first->second;
  }

  Rack rack_;
  uint32_t in_channels_ = 1;
  uint32_t tail_frames_ = 0;  // of the latency, still to be handed out
  size_t meters_ = 0;
};

}  // namespace hosted
