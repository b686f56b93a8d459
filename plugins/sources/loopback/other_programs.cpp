#include "plugins/sources/loopback/other_programs.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sluice/samples.hpp>
#include <string_view>

#include "plugins/sources/loopback/program.hpp"

namespace loopback {
namespace {

// 0 where the server does not know.
pid_t process_of(const pa_proplist* properties) {
  const char* const text = pa_proplist_gets(properties, PA_PROP_APPLICATION_PROCESS_ID);
  pid_t id = 0;
  if (text != nullptr) {
    const std::string_view digits = text;
    std::from_chars(digits.data(), digits.data() + digits.size(), id);
  }
  return id;
}

}  // namespace

void OtherPrograms::prepare(const sluice_format& format, uint32_t fragment_frames) {
  format_ = format;
  fragment_frames_ = fragment_frames;
}

void OtherPrograms::begin_list() { players_.clear(); }

void OtherPrograms::note(const pa_sink_input_info& info, uint32_t output_index) {
  if (info.sink != output_index) return;
  players_.push_back({info.index, info.client, process_of(info.proplist)});
}

void OtherPrograms::note(const pa_client_info& client) {
  for (Player& player : players_) {
    if (player.process == 0 && player.client == client.index) {
      player.process = process_of(client.proplist);
    }
  }
}

void OtherPrograms::end_list() {
  others_.clear();
  own_count_ = 0;
  for (const Player& player : players_) {
    if (player.process > 0 && host_of(player.process) == host_of(getpid())) {
      ++own_count_;
    } else {
      others_.push_back(player.input);
    }
  }
}

bool OtherPrograms::take(pa_context& context, const std::string& monitor, bool must) {
  const bool is_change = must != is_mixing_;
  is_mixing_ = must;
  if (!must) {
    taps_.clear();
    return is_change;
  }
  std::erase_if(taps_, [&](const std::unique_ptr<Tap>& tap) {
    return std::find(others_.begin(), others_.end(), tap->input_index()) == others_.end();
  });
  for (const uint32_t other : others_) {
    const bool is_known = std::any_of(taps_.begin(), taps_.end(),
                                      [&](const auto& tap) { return tap->input_index() == other; });
    if (is_known) continue;
    taps_.push_back(std::make_unique<Tap>(context, format_, fragment_frames_, other, monitor));
  }
  return is_change;
}

const std::byte* OtherPrograms::mix(uint32_t frames) {
  mix_.assign(size_t{frames} * sluice::frame_bytes(format_), std::byte{0});
  for (const auto& tap : taps_) tap->add_to(mix_.data(), frames);
  return mix_.data();
}

void OtherPrograms::clear() {
  taps_.clear();
  is_mixing_ = false;
}

}  // namespace loopback
