// What can be wrong with an ALSA device, in sentences. Everything here is [control, worker].
#pragma once

#include <alsa/asoundlib.h>
#include <sluice/plugin.h>

#include <cstdint>
#include <string>
#include <vector>

namespace alsa {

enum class Direction : uint8_t { kCapture, kPlayback };

struct Trouble {
  enum class Kind : uint8_t {
    kNone,
    kUnknown,    // no PCM of that name in ALSA's configuration; waiting does not help
    kAbsent,     // its card is not there
    kBusy,       // somebody else has it
    kForbidden,  // the system refuses; waiting does not help
    kFormat,     // it does not offer what is wanted
    kLost,       // it was there and went away
    kOther
  };
  Kind kind = Kind::kNone;
  std::string sentence;

  explicit operator bool() const { return kind != Kind::kNone; }
  // Nothing that happens to the device makes it right.
  bool is_final() const { return kind == Kind::kUnknown || kind == Kind::kForbidden; }
  // The class of error it is in the plugin ABI.
  sluice_result result() const;
};

// While it lives, what ALSA's library complains of in this thread is not printed. One at a time.
class Hush {
 public:
  Hush();
  ~Hush();
  Hush(const Hush&) = delete;
  Hush& operator=(const Hush&) = delete;
  // The last complaint; "" if there was none. Without a full stop.
  static const std::string& last();
};

// Why the PCM `name` could not be opened; `error` is what snd_pcm_open answered.
Trouble opening_trouble(const std::string& name, Direction direction, int error);
// Why a call on the open PCM failed; `doing` completes "cannot ...".
Trouble running_trouble(const std::string& name, const char* doing, int error);

// "", or who has PCMs of this direction open, of the card that `name` speaks of if it names one:
// "aplay (process 17) has hw:Loopback,0". As /proc/asound and /proc tell.
std::string users_of(const std::string& name, Direction direction);

// "aplay (process 17)": who has that substream open; "" if nobody has, or the system does not tell.
std::string user_of(const std::string& id, unsigned device, unsigned subdevice,
                    Direction direction);

// The id of a card ("Loopback") from its id, its number or its name; "" if there is no such card,
// or several have the name.
std::string card_id(const std::string& card);
// The ids of all cards, "Loopback, PCH"; "" if there is none.
std::string card_list();

// The three of `names`, at most, that are nearest to `name`, joined by " or "; "" if none is near.
std::string nearest(const std::string& name, const std::vector<std::string>& names);

}  // namespace alsa
