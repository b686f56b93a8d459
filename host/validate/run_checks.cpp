// Nodes with a thread of their own, and devices.
#include <fmt/format.h>

#include <map>
#include <string>

#include "host/validate/check.hpp"
#include "host/validate/peers.hpp"
#include "host/validate/rt_guard.hpp"

namespace sluice::validate {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

bool has_input(const sluice_type& type) {
  for (uint32_t i = 0; i < type.port_count; ++i) {
    if (type.ports[i].direction == SLUICE_INPUT) return true;
  }
  return false;
}

void check_run_end(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  // Whoever has an input ends with it, in so much time as what waits in buffers may take.
  const Course course{.frames = 24'000, .stop_ns = 60 * kSecondNs};
  std::string sentence;
  {
    Peers peers(host.network(), Peers::Habit::kGood, subject.seed());
    host.set_peers(&peers);
    sentence = host.run(course);
    host.set_peers(nullptr);
  }
  subject.take(host);
  if (!sentence.empty()) {
    return subject.skip("It does not run with these parameters (see --set): " + sentence);
  }
  if (has_input(subject.data()) && host.was_stopped()) {
    subject.fail("run does not return after its inputs have ended.");
  }
  subject.note(fmt::format("run returned after {} waits and {} ms.", host.waits(),
                           host.now_ns() / 1'000'000));
}

void check_stop(Subject& subject) {
  if (!subject.type()) return;
  for (const uint64_t waits : {1U, 2U, 3U, 5U, 9U, 30U}) {
    NodeHost host(subject.data(), subject.values());
    if (!subject.make(host)) return;
    doing(fmt::format("run, stopped at its wait number {}", waits));
    host.run({.is_ended = false, .stop_ns = 5 * kSecondNs, .stop_waits = waits});
    subject.take(host);
  }
}

void check_blocking(Subject& subject) {
  if (!subject.type()) return;
  if (!has_rt_guard()) return subject.skip("Not in a build with sanitizers.");
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  const RtGuardRecorder recorder;
  host.run({.frames = 9600, .stop_ns = 2 * kSecondNs});
  std::map<std::string, int> calls;
  for (const std::string& function : recorder.functions()) ++calls[function];
  for (const auto& [function, count] : calls) {
    subject.fail(fmt::format("it calls {} in run ({} times).", function, count));
  }
}

void check_live(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values(), subject.seed());
  if (!subject.make(host)) return;
  host.run(
      {.frames = 96'000, .is_ended = false, .stop_ns = 2 * kSecondNs, .live_changes_per_s = 100});
  subject.take(host);
}

void check_run_again(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  const auto run = [&] {
    if (!host.prepare().empty()) return;
    host.run({.frames = 4800, .stop_ns = kSecondNs, .stop_frames = 9600});
    host.release();
  };
  if (!subject.make(host)) return;
  for (int i = 0; i < 3; ++i) run();
  const Belongings had = belongings();
  for (int i = 0; i < 10; ++i) run();
  const Belongings has = belongings();
  subject.take(host);
  if (has.threads > had.threads) subject.fail("threads are left after ten runs.");
  if (has.descriptors > had.descriptors) subject.fail("files are left open after ten runs.");
}

void run_with(Subject& subject, Peers::Habit habit) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values(), subject.seed());
  if (!subject.make(host)) return;
  const Belongings had = belongings();
  {
    Peers peers(host.network(), habit, subject.seed());
    host.set_peers(&peers);
    host.run({.frames = 20 * 48'000,
              .is_ended = false,
              .stop_ns = 20 * kSecondNs,
              .stop_frames = 20 * 48'000,
              .live_changes_per_s = 1});
    host.set_peers(nullptr);
  }
  subject.take(host);
  if (!host.has_used_network()) return subject.skip("It does not use the host's network.");
  const Belongings has = belongings();
  constexpr size_t kMostBytes = size_t{64} << 20U;
  if (has.heap_bytes > had.heap_bytes + kMostBytes) {
    subject.fail(fmt::format("it holds {} MB after 20 s with such a peer.",
                             (has.heap_bytes - had.heap_bytes) >> 20U));
  }
}

void check_dead_peer(Subject& subject) { run_with(subject, Peers::Habit::kDead); }
void check_slow_peer(Subject& subject) { run_with(subject, Peers::Habit::kSlow); }
void check_random_peer(Subject& subject) { run_with(subject, Peers::Habit::kRandom); }

void check_device(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  for (int i = 0; i < 3; ++i) {
    const std::string sentence = host.start_and_stop();
    subject.take(host);
    if (!sentence.empty()) return subject.skip("The device does not start: " + sentence);
  }
  subject.note(fmt::format("{} cycles in three starts.", host.cycles()));
  if (host.cycles() == 0) subject.fail("it starts, and calls cycle in none of 2 s.");
}

constexpr Check kRunChecks[] = {
    {"run.ends", 1, About::kThreaded, "run comes to its end with its inputs",
     "A graph is over when all sinks are. Look at SLUICE_INPUT_ENDED.", check_run_end},
    {"run.stops", 1, About::kThreaded, "run returns soon when it is told to stop, at any wait",
     "Nothing can end a thread from outside. Return when wait answers SLUICE_ERROR_STOPPED.",
     check_stop},
    {"run.blocks_in_wait", 2, About::kThreaded, "run blocks in wait and in files, nowhere else",
     "While it waits its thread runs the filters behind it, and a stop can end the wait. Use "
     "sleep_until, on_descriptor and <sluice/net.hpp>.",
     check_blocking},
    {"run.live_parameters", 2, About::kThreaded, "live parameters change while it runs",
     "Read them again when on_parameters() is ready.", check_live},
    {"run.again", 2, About::kThreaded, "it runs again after release, and leaves nothing",
     "A graph that is edited prepares and runs again.", check_run_again},
    {"peers.dead", 2, About::kThreaded, "a peer that never answers",
     "That is what a machine behind a cut cable looks like.", check_dead_peer},
    {"peers.slow", 2, About::kThreaded, "a peer that takes and gives a few bytes a second",
     "What it does not take must go somewhere: drop it, and count.", check_slow_peer},
    {"peers.random", 2, About::kThreaded, "a peer that sends noise and hangs up at random",
     "Networks bring anything. Check every length before it is used.", check_random_peer},
    {"device.starts_and_stops", 2, About::kDevice, "start, cycles, stop, three times",
     "After stop has returned the host frees what cycle would use. Join the thread in stop.",
     check_device},
};

}  // namespace

std::span<const Check> run_checks() { return kRunChecks; }

}  // namespace sluice::validate
