#include "trouble.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "local_errors.h"

namespace alsa {
namespace {

namespace fs = std::filesystem;

thread_local std::string last_complaint;

void remember(const char*, int, const char*, int, const char* format, va_list arguments) {
  char text[256];
  std::vsnprintf(text, sizeof(text), format, arguments);
  last_complaint = text;
  while (!last_complaint.empty() &&
         std::isspace(static_cast<unsigned char>(last_complaint.back()))) {
    last_complaint.pop_back();
  }
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The process that a thread belongs to: what /proc/asound tells of is the thread.
std::string process_of(const std::string& thread) {
  std::ifstream status("/proc/" + thread + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Tgid:")) return line.substr(line.find_last_of(" \t") + 1);
  }
  return thread;
}

// "hw", "plughw:CARD=PCH,DEV=0": what stands for the card; "" if it names none.
std::string card_in(const std::string& name) {
  const size_t colon = name.find(':');
  if (colon == std::string::npos) return {};
  std::string rest = name.substr(colon + 1);
  if (rest.starts_with("CARD=")) rest.erase(0, 5);
  return rest.substr(0, rest.find(','));
}

// How many letters have to be changed, put in or left out; capitals do not matter.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool is_same = std::tolower(static_cast<unsigned char>(a[i - 1])) ==
                           std::tolower(static_cast<unsigned char>(b[j - 1]));
      diagonal = std::exchange(
          row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (is_same ? 0 : 1)}));
    }
  }
  return row.back();
}

// Names that can be given as a device: those of the configuration, and hw:ID of every card.
std::vector<std::string> device_names(Direction direction) {
  std::vector<std::string> names{"default"};
  void** hints = nullptr;
  if (snd_device_name_hint(-1, "pcm", &hints) == 0) {
    for (void** hint = hints; *hint; ++hint) {
      char* const name = snd_device_name_get_hint(*hint, "NAME");
      char* const way = snd_device_name_get_hint(*hint, "IOID");
      const std::string_view other = direction == Direction::kCapture ? "Output" : "Input";
      if (name && !(way && way == other)) names.emplace_back(name);
      std::free(name);
      std::free(way);
    }
    snd_device_name_free_hint(hints);
  }
  snd_config_t* pcms = nullptr;
  if (snd_config_update() >= 0 && snd_config_search(snd_config, "pcm", &pcms) == 0) {
    snd_config_iterator_t it = nullptr, next = nullptr;
    snd_config_for_each(it, next, pcms) {
      const char* name = nullptr;
      if (snd_config_get_id(snd_config_iterator_entry(it), &name) == 0) names.emplace_back(name);
    }
  }
  for (int card = -1; snd_card_next(&card) == 0 && card >= 0;) {
    const std::string id = card_id(std::to_string(card));
    names.push_back("hw:" + id);
    names.push_back("plughw:" + id);
  }
  return names;
}

bool is_configured(const std::string& name) {
  if (name.starts_with('{')) return true;  // a definition of its own
  snd_config_t* found = nullptr;
  return snd_config_update() >= 0 &&
         snd_config_search(snd_config, ("pcm." + name.substr(0, name.find(':'))).c_str(), &found) ==
             0;
}

std::string in_quotes(const std::string& name) { return "'" + name + "'"; }

}  // namespace

sluice_result Trouble::result() const {
  switch (kind) {
    case Kind::kUnknown:
      return SLUICE_ERROR_NOT_FOUND;
    case Kind::kForbidden:
      return SLUICE_ERROR_PERMISSION;
    case Kind::kFormat:
      return SLUICE_ERROR_FORMAT;
    default:
      return SLUICE_ERROR_DEVICE;
  }
}

Hush::Hush() {
  last_complaint.clear();
  alsa_set_local_error_handler(remember);
}
Hush::~Hush() { alsa_set_local_error_handler(nullptr); }
const std::string& Hush::last() { return last_complaint; }

std::string nearest(const std::string& name, const std::vector<std::string>& names) {
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& candidate : names) {
    const size_t changes = distance(name, candidate);
    if (changes * 2 <= std::max(name.size(), candidate.size()))
      near.emplace_back(changes, candidate);
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(near.size(), 3); ++i) {
    text += (i == 0 ? "" : " or ") + in_quotes(near[i].second);
  }
  return text;
}

std::string card_id(const std::string& card) {
  const auto id_of = [](int number) {
    return first_line("/proc/asound/card" + std::to_string(number) + "/id");
  };
  if (const int number = snd_card_get_index(card.c_str()); number >= 0) return id_of(number);
  std::string found;
  for (int other = -1; snd_card_next(&other) == 0 && other >= 0;) {
    char* name = nullptr;
    if (snd_card_get_name(other, &name) < 0) continue;
    const bool is_it = card == name;
    std::free(name);
    if (!is_it) continue;
    if (!found.empty()) return {};
    found = id_of(other);
  }
  return found;
}

std::string card_list() {
  std::string list;
  for (int card = -1; snd_card_next(&card) == 0 && card >= 0;) {
    list += (list.empty() ? "" : ", ") + card_id(std::to_string(card));
  }
  return list;
}

std::string user_of(const std::string& id, unsigned device, unsigned subdevice,
                    Direction direction) {
  const char kind = direction == Direction::kCapture ? 'c' : 'p';
  std::ifstream status("/proc/asound/" + id + "/pcm" + std::to_string(device) + kind + "/sub" +
                       std::to_string(subdevice) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("owner_pid")) continue;
    const std::string process = process_of(line.substr(line.find_last_of(" \t:") + 1));
    const std::string program = first_line("/proc/" + process + "/comm");
    return (program.empty() ? "somebody" : program) + " (process " + process + ")";
  }
  return {};
}

std::string users_of(const std::string& name, Direction direction) {
  constexpr unsigned kMostDevices = 32, kMostSubdevices = 32;
  const std::string wanted = card_id(card_in(name));
  std::string users;
  for (int card = -1; snd_card_next(&card) == 0 && card >= 0;) {
    const std::string id = card_id(std::to_string(card));
    if (!wanted.empty() && id != wanted) continue;
    for (unsigned i = 0; i < kMostDevices * kMostSubdevices; ++i) {
      const unsigned device = i / kMostSubdevices;
      const std::string user = user_of(id, device, i % kMostSubdevices, direction);
      if (user.empty()) continue;
      users += (users.empty() ? "" : ", ") + user + " has hw:" + id + "," + std::to_string(device);
    }
  }
  return users;
}

Trouble opening_trouble(const std::string& name, Direction direction, int error) {
  using Kind = Trouble::Kind;
  const std::string called = "ALSA device " + in_quotes(name);
  const bool is_capture = direction == Direction::kCapture;
  switch (-error) {
    case EBUSY: {
      const std::string users = users_of(name, direction);
      return {Kind::kBusy, called + " is busy" + (users.empty() ? "" : ": " + users) + "."};
    }
    case EACCES:
    case EPERM:
      return {Kind::kForbidden, "There is no permission to open " + called +
                                    "; add yourself to the group audio (as root: usermod -aG audio "
                                    "USER) and log in again."};
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case EINVAL: {
      std::vector<std::string> others = device_names(direction);
      std::erase(others, name);
      const std::string near = nearest(name, others);
      const std::string cards = card_list();
      const std::string there = near.empty() ? "" : " Near it: " + near + ".";
      const std::string detail = Hush::last().empty() ? "" : " (" + Hush::last() + ")";
      if (!is_configured(name)) {
        return {Kind::kUnknown, "There is no " + called + " for " +
                                    (is_capture ? "capture." : "playback.") + there +
                                    " sluice devices lists what there is."};
      }
      return {Kind::kAbsent, called + " is not there" + detail +
                                 (cards.empty() ? "; this machine has no sound card."
                                                : ". Cards: " + cards + ".") +
                                 there};
    }
    default: {
      const std::string& detail = Hush::last();
      return {Kind::kOther, called + " cannot be opened: " + snd_strerror(error) +
                                (detail.empty() ? "" : " (" + detail + ")") + "."};
    }
  }
}

Trouble running_trouble(const std::string& name, const char* doing, int error) {
  const bool is_gone = error == -ENODEV || error == -EBADFD || error == -ENOTTY || error == -ENXIO;
  return {is_gone ? Trouble::Kind::kLost : Trouble::Kind::kOther,
          "ALSA device " + in_quotes(name) +
              (is_gone ? std::string(" is gone.")
                       : std::string(" cannot ") + doing + ": " + snd_strerror(error) + ".")};
}

}  // namespace alsa
