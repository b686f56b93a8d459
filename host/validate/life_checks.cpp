// Nodes come and go, and leave nothing.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string_view>

#include "host/validate/check.hpp"
#include "host/validate/rt_guard.hpp"

namespace sluice::validate {
namespace {

// Does `body` a few times to let caches fill, then `count` times, or for a second of processor
// time, and compares.
template <typename Body>
void look_for_growth(Subject& subject, const char* doing_what, int count, Body body) {
  // Room that a heap keeps for later, or a library for its first use, is no leak.
  constexpr size_t kSlackBytes = 16'384;
  constexpr clock_t kMost = CLOCKS_PER_SEC;
  for (int i = 0; i < std::min(count, 12) / 4 + 2; ++i) body();
  const Belongings had = belongings();
  const clock_t begun = std::clock();
  int done = 0;
  while (done < count && (done < 10 || std::clock() - begun < kMost)) body(), ++done;
  count = done;
  const Belongings has = belongings();
  if (has.heap_bytes > had.heap_bytes + kSlackBytes) {
    subject.fail(fmt::format("{} {} times keeps {} bytes.", doing_what, count,
                             has.heap_bytes - had.heap_bytes));
  }
  if (has.descriptors > had.descriptors) {
    subject.fail(fmt::format("{} {} times keeps {} files open.", doing_what, count,
                             has.descriptors - had.descriptors));
  }
  if (has.threads > had.threads) {
    subject.fail(fmt::format("{} {} times leaves {} threads running.", doing_what, count,
                             has.threads - had.threads));
  }
}

void check_create(Subject& subject) {
  if (!subject.type()) return;
  const std::vector<Value> values = subject.values();
  {
    NodeHost host(subject.data(), values);
    const std::string sentence = host.create();
    subject.take(host);
    if (!sentence.empty()) return subject.fail("create fails: " + sentence);
  }
  look_for_growth(subject, "creating and destroying", 1000, [&] {
    NodeHost host(subject.data(), values);
    host.create();
  });
}

void check_interface(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!host.create().empty()) return subject.skip("No node can be made.");
  doing("get_interface");
  const uint32_t execution = subject.data().execution;
  const char* const id = execution == SLUICE_EXECUTION_PASSIVE    ? SLUICE_PASSIVE
                         : execution == SLUICE_EXECUTION_THREADED ? SLUICE_THREADED
                                                                  : SLUICE_DEVICE;
  const void* const table = host.interface(id);
  if (!table) return subject.fail(fmt::format("get_interface has no table {}.", id));
  if (host.interface(id) != table) {
    subject.fail(fmt::format("get_interface answers {} with another table each time.", id));
  }
  if (host.interface("com.example.no-such-thing/1")) {
    subject.fail("get_interface has a table for an id that nobody knows.");
  }
  const bool is_complete = execution == SLUICE_EXECUTION_PASSIVE
                               ? static_cast<const sluice_passive*>(table)->process != nullptr
                           : execution == SLUICE_EXECUTION_THREADED
                               ? static_cast<const sluice_threaded*>(table)->run != nullptr
                               : static_cast<const sluice_device*>(table)->start &&
                                     static_cast<const sluice_device*>(table)->stop;
  if (!is_complete) subject.fail(fmt::format("functions are missing in its table {}.", id));
}

void check_prepare(Subject& subject) {
  if (!subject.type()) return;
  const std::vector<Value> values = subject.values();
  NodeHost host(subject.data(), values);
  if (!subject.make(host)) return subject.take(host);
  look_for_growth(subject, "preparing and releasing", 40, [&] {
    host.prepare();
    host.release();
  });
  look_for_growth(subject, "making, preparing and destroying", 40, [&] {
    NodeHost each(subject.data(), values);
    each.create();
    each.prepare();
  });
  subject.take(host);
}

void check_failure(Subject& subject) {
  if (!subject.type()) return;
  const std::vector<Value> values = subject.values();
  look_for_growth(subject, "failing", 100, [&] {
    NodeHost host(subject.data(), values);
    host.set_refuses_extensions(true);
    if (host.create().empty()) {
      host.prepare();
      // The node is as it was before the call that failed, so it can be prepared after all.
      host.release();
      host.set_refuses_extensions(false);
      host.prepare();
    }
    subject.take(host);
  });
}

void check_classes(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  const size_t threads = belongings().threads;
  RtGuardRecorder recorder;
  const uint32_t execution = subject.data().execution;
  if (execution == SLUICE_EXECUTION_PASSIVE) {
    for (uint32_t i = 0; i < subject.data().parameter_count; ++i) {
      const sluice_parameter& parameter = subject.data().parameters[i];
      if (parameter.flags & SLUICE_PARAMETER_LIVE) host.change_live(i, parameter.maximum);
    }
    host.play({});
    host.reset();
    if (belongings().threads > threads) subject.fail("process starts threads.");
  } else if (execution == SLUICE_EXECUTION_THREADED) {
    host.run({.frames = 9600, .stop_ns = 1'000'000'000, .live_changes_per_s = 20});
  }
  host.destroy();
  for (const std::string& sentence : host.class_violations()) subject.fail(sentence);
}

void check_no_memory(Subject& subject) {
  if (!subject.type()) return;
  if (!has_rt_guard()) return subject.skip("Not in a build with sanitizers.");
  const std::vector<Value> values = subject.values();
  uint32_t most = 0;
  for (uint32_t nth = 1; nth < 500; ++nth) {
    NodeHost host(subject.data(), values);
    doing(fmt::format("create and prepare, with allocation {} refused", nth));
    bool has_come = false;
    {
      const RefusedAllocation refused(nth);
      if (host.create().empty()) host.prepare();
      has_come = refused.has_come();
    }
    host.destroy();
    if (!has_come) break;
    most = nth;
  }
  subject.note(fmt::format("Each of {} allocations was refused once.", most));
}

constexpr Check kLifeChecks[] = {
    {"life.create", 1, About::kType, "nodes are made and destroyed by the thousand without growth",
     "Editing a graph makes and destroys nodes. create allocates little and opens nothing; destroy "
     "gives all of it back.",
     check_create},
    {"life.interface", 1, About::kType, "get_interface has the table of its execution, complete",
     "Without it there is nothing to call. Derive from Passive, Filter, Threaded or Device.",
     check_interface},
    {"life.prepare", 1, About::kType, "prepare and release can be repeated without growth",
     "A change of format prepares again. release undoes all that prepare did.", check_prepare},
    {"life.failure", 2, About::kType, "what fails leaves nothing and says a sentence",
     "A failed change must leave the graph as it was. Throw sluice::Failure with a sentence, and "
     "let members own what they open.",
     check_failure},
    {"threads.classes", 1, About::kType, "host functions are called from their thread class",
     "log in an [audio] call may wait for a disk. plugin.h names the class of each function.",
     check_classes},
    {"life.no_memory", 3, About::kType, "a refused allocation in create or prepare is survived",
     "A node that does not fit must not end all others. In C, look at what malloc answers.",
     check_no_memory},
};

}  // namespace

std::span<const Check> life_checks() { return kLifeChecks; }

}  // namespace sluice::validate
