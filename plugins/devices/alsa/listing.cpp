#include "listing.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace alsa {
namespace {

constexpr const char* kSystem = "ALSA";
constexpr unsigned kMostSubdevices = 32;

struct ControlCloser {
  void operator()(snd_ctl_t* control) const { snd_ctl_close(control); }
};
using Control = std::unique_ptr<snd_ctl_t, ControlCloser>;

// The controls of card `number`; null, with a remark, if they may not be opened.
Control open_control(int number, const sluice::DeviceListing& listing) {
  snd_ctl_t* control = nullptr;
  const int error = snd_ctl_open(&control, ("hw:" + std::to_string(number)).c_str(), 0);
  if (error == -EACCES || error == -EPERM) {
    listing.remark("There is no permission to look at card " + card_id(std::to_string(number)) +
                   "; add yourself to the group audio (as root: usermod -aG audio USER) and log in "
                   "again.");
  }
  return Control(error < 0 ? nullptr : control);
}

std::string driver_of(snd_ctl_t* control) {
  snd_ctl_card_info_t* info = nullptr;
  snd_ctl_card_info_alloca(&info);
  return snd_ctl_card_info(control, info) < 0 ? "" : snd_ctl_card_info_get_driver(info);
}

void list_card(const sluice::DeviceListing& listing, int number, Direction direction) {
  const Control control = open_control(number, listing);
  if (!control) return;
  const std::string id = card_id(std::to_string(number));
  snd_pcm_info_t* info = nullptr;
  snd_pcm_info_alloca(&info);
  for (int device = -1; snd_ctl_pcm_next_device(control.get(), &device) == 0 && device >= 0;) {
    const auto index = static_cast<unsigned>(device);
    snd_pcm_info_set_device(info, index);
    snd_pcm_info_set_subdevice(info, 0);
    snd_pcm_info_set_stream(
        info, direction == Direction::kCapture ? SND_PCM_STREAM_CAPTURE : SND_PCM_STREAM_PLAYBACK);
    if (snd_ctl_pcm_info(control.get(), info) < 0) continue;
    std::string users;
    if (snd_pcm_info_get_subdevices_avail(info) == 0) {
      for (unsigned sub = 0; sub < kMostSubdevices && users.empty(); ++sub) {
        users = user_of(id, index, sub, direction);
      }
    }
    char* card_name = nullptr;
    snd_card_get_name(number, &card_name);
    const std::string owner = card_name ? card_name : id;
    std::free(card_name);
    listing.device({.parameter = "device",
                    .selector = "hw:CARD=" + id + ",DEV=" + std::to_string(device),
                    .name = owner + ", " + snd_pcm_info_get_name(info),
                    .system = kSystem,
                    .remark = users.empty() ? "" : "In use by " + users + "."});
  }
}

}  // namespace

void list_pcms(const sluice::DeviceListing& listing, Direction direction) {
  const Hush hush;
  void** hints = nullptr;
  if (snd_device_name_hint(-1, "pcm", &hints) == 0) {
    for (void** hint = hints; *hint; ++hint) {
      char* const name = snd_device_name_get_hint(*hint, "NAME");
      char* const what = snd_device_name_get_hint(*hint, "DESC");
      char* const way = snd_device_name_get_hint(*hint, "IOID");
      const std::string_view other = direction == Direction::kCapture ? "Output" : "Input";
      const std::string_view called = name ? name : "";
      // Those of cards follow, by the names that stay the same.
      if (!called.empty() && called != "null" && called.find(':') == std::string_view::npos &&
          !(way && way == other)) {
        std::string text = what ? what : name;
        for (char& letter : text) {
          if (letter == '\n') letter = ' ';
        }
        listing.device({.parameter = "device",
                        .selector = name,
                        .name = text,
                        .system = kSystem,
                        .is_default = called == "default"});
      }
      std::free(name);
      std::free(what);
      std::free(way);
    }
    snd_device_name_free_hint(hints);
  }
  int card = -1;
  if (snd_card_next(&card) < 0 || card < 0) {
    listing.remark("This machine has no sound card.");
    return;
  }
  for (; card >= 0; snd_card_next(&card)) list_card(listing, card, direction);
}

void list_loopback_cards(const sluice::DeviceListing& listing) {
  const Hush hush;
  bool is_any = false;
  for (int card = -1; snd_card_next(&card) == 0 && card >= 0;) {
    const Control control = open_control(card, listing);
    if (!control || driver_of(control.get()) != "Loopback") continue;
    is_any = true;
    const std::string id = card_id(std::to_string(card));
    const std::string user = user_of(id, 1, 0, Direction::kCapture);
    const std::string remark =
        user.empty() ? "Programs play into hw:" + id + ",0,0." : "Captured from by " + user + ".";
    char* name = nullptr;
    snd_card_get_longname(card, &name);
    listing.device({.parameter = "card",
                    .selector = id,
                    .name = name ? name : id,
                    .system = kSystem,
                    .remark = remark,
                    .is_default = id == "Loopback"});
    std::free(name);
  }
  if (!is_any) {
    listing.remark("There is no loopback card. Load its driver as root: modprobe snd-aloop.");
  }
}

}  // namespace alsa
