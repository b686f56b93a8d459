// Runs all lanes of virtual time on one thread, one at a time, in plan order; moves the clock only
// when none of them can go on.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/engine/clock.hpp"
#include "host/engine/fiber.hpp"

namespace sluice::engine {

class Lane;
class Network;

// Not thread safe: everything happens on the thread that calls run. [control]
class VirtualScheduler {
 public:
  explicit VirtualScheduler(VirtualClock& clock, Network* network)
      : clock_(clock), network_(network) {}

  // Lanes run in the order in which they were added.
  void add(Lane& lane) { lanes_.push_back(&lane); }
  // The lane has ended, or never ran.
  void remove(Lane& lane) { std::erase(lanes_, &lane); }
  void reverse() { std::reverse(lanes_.begin(), lanes_.end()); }

  // A peer of a test that lives on the same clock: `body` runs on a fiber of its own and may call
  // the functions of Participant. At the end of the run they throw something that `body` lets pass.
  class Participant {
   public:
    int64_t now_ns() const;
    void sleep_until(int64_t time_ns);
    // Sleeps until `is_ready` answers true or `deadline_ns` has come; true if ready.
    bool wait(std::function<bool()> is_ready, int64_t deadline_ns = kForever);

   private:
    friend class VirtualScheduler;
    Participant(VirtualScheduler& scheduler, std::function<void(Participant&)> body);
    VirtualScheduler& scheduler_;
    std::function<bool()> is_ready_;
    int64_t deadline_ns_ = 0;
    bool is_stopping_ = false;
    std::unique_ptr<Fiber> fiber_;
  };
  void add_participant(std::function<void(Participant&)> body);

  enum class Outcome {
    kDone,     // every lane and participant is done
    kTime,     // the time limit was reached
    kStalled,  // nobody can go on and nobody waits for time or a descriptor
  };
  // Goes on until one of the above; may be called again. `keep_going`, asked now and then, ends the
  // run (kTime) when it answers false.
  Outcome run(int64_t until_ns, const std::function<bool()>& keep_going = {});
  // Resumes every lane, in turn, until all are finished, and unwinds the participants; for the end,
  // when every wait answers at once.
  void finish();
  // The same for one lane.
  void finish(Lane& lane);

 private:
  bool run_ready();
  bool ask_network(Lane& lane, int64_t& wake_ns, std::vector<pollfd>& descriptors);

  VirtualClock& clock_;
  Network* network_;
  std::vector<Lane*> lanes_;
  std::vector<std::unique_ptr<Participant>> participants_;
};

}  // namespace sluice::engine
