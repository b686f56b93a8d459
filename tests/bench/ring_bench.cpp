// The ring against boost::lockfree::spsc_queue: a hop between threads, fan-out, an empty hop.

#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "host/engine/ring/bell.hpp"
#include "host/engine/ring/ring.hpp"
#include "tests/bench/paired.hpp"

namespace {

using sluice::bench::cpu_ns;
using sluice::bench::elapsed_ns;
using sluice::bench::keep;
using sluice::bench::Paired;
using sluice::bench::run_paired;
using sluice::engine::AttachStatus;
using sluice::engine::Cursor;
using sluice::engine::CursorPolicy;
using sluice::engine::Ring;

using Queue = boost::lockfree::spsc_queue<float>;

constexpr int kRounds = 101;
constexpr std::uint32_t kChannels = 2;
constexpr std::uint32_t kFrameBytes = kChannels * sizeof(float);
constexpr std::uint32_t kBlockFrames = 480;
constexpr std::uint32_t kBlockSamples = kBlockFrames * kChannels;
constexpr std::uint32_t kBlockBytes = kBlockFrames * kFrameBytes;
constexpr std::uint64_t kCapacityFrames = 8192;

std::unique_ptr<Ring> make_ring() {
  auto ring = Ring::create({.frame_bytes = kFrameBytes, .minimum_frames = kCapacityFrames});
  if (!ring) {
    std::fprintf(stderr, "%s\n", ring.error().message.c_str());
    std::exit(1);
  }
  return *std::move(ring);
}

void join(Cursor& cursor, Ring& ring, CursorPolicy policy) {
  if (cursor.attach_behind(ring, 0, policy) != AttachStatus::kAttached) std::exit(1);
}

void pin_to_cpu(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu % std::thread::hardware_concurrency(), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// Both sides wait in the same way: spin, and let others run now and then.
class Spin {
 public:
  void wait() {
    if (++turns_ % 256 == 0) {
      sched_yield();
    } else {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }

 private:
  unsigned turns_ = 0;
};

// Runs `write` and `read` on two threads, a CPU each, and returns ns for a block.
template <typename Write, typename Read>
double hop_ns(int blocks, Write write, Read read) {
  std::atomic<int> ready{0};
  const auto meet = [&ready] {
    ready.fetch_add(1);
    while (ready.load() < 2) {
    }
  };
  std::thread reader([&] {
    pin_to_cpu(1);
    meet();
    read();
  });
  pin_to_cpu(0);
  meet();
  const double spent = elapsed_ns([&] {
    write();
    reader.join();
  });
  return spent / blocks;
}

// What one side of a hop does: with memory of the ring, `done` frames into its block, and with a
// block of its own, which the queue takes and gives.
struct Copies {
  const std::vector<float> source = std::vector<float>(kBlockSamples, 0.25F);
  std::vector<float> target = std::vector<float>(kBlockSamples);

  void write(std::byte* data, std::uint32_t done, std::uint32_t frames) {
    std::memcpy(data, source.data() + done * kChannels, frames * kFrameBytes);
  }
  void read(const std::byte* data, std::uint32_t done, std::uint32_t frames) {
    std::memcpy(target.data() + done * kChannels, data, frames * kFrameBytes);
    keep(target[0]);
  }
  void make_own() {}
  void take_own() { keep(target[0]); }
};

// As plugins do: samples are made where they are handed over, and each is looked at where it lies.
struct InPlace {
  std::vector<float> source = std::vector<float>(kBlockSamples);
  std::vector<float> target = std::vector<float>(kBlockSamples);

  void write(std::byte* data, std::uint32_t, std::uint32_t frames) {
    make(reinterpret_cast<float*>(data), frames * kChannels);
  }
  void read(const std::byte* data, std::uint32_t, std::uint32_t frames) {
    keep(sum_of(reinterpret_cast<const float*>(data), frames * kChannels));
  }
  void make_own() { make(source.data(), kBlockSamples); }
  void take_own() { keep(sum_of(target.data(), kBlockSamples)); }

  static void make(float* samples, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) samples[i] = static_cast<float>(i);
  }
  static float sum_of(const float* samples, std::uint32_t count) {
    std::array<float, 8> sums{};
    for (std::uint32_t i = 0; i < count; ++i) sums[i % sums.size()] += samples[i];
    return std::accumulate(sums.begin(), sums.end(), 0.0F);
  }
};

template <typename Work>
Paired measure_hop(CursorPolicy policy) {
  constexpr int kBlocks = 5'000;
  Work work;
  const auto ring = make_ring();
  ring->set_live(false);
  Cursor cursor;
  join(cursor, *ring, policy);
  const Queue::size_type capacity = ring->capacity_frames() * kChannels;
  const auto queue = std::make_unique<Queue>(capacity);

  const auto ours = [&] {
    return hop_ns(
        kBlocks,
        [&] {
          Spin spin;
          for (int block = 0; block < kBlocks; ++block) {
            for (std::uint32_t done = 0; done < kBlockFrames;) {
              const auto span = ring->begin_write(kBlockFrames - done);
              if (span.frames == 0) {
                spin.wait();
                continue;
              }
              work.write(span.data, done, span.frames);
              ring->end_write(span.frames);
              done += span.frames;
            }
          }
        },
        [&] {
          Spin spin;
          for (int block = 0; block < kBlocks; ++block) {
            for (std::uint32_t done = 0; done < kBlockFrames;) {
              const auto span = cursor.begin_read(kBlockFrames - done);
              if (span.frames == 0) {
                spin.wait();
                continue;
              }
              work.read(span.data, done, span.frames);
              cursor.end_read(span.frames);
              done += span.frames;
            }
          }
        });
  };
  const auto peer = [&] {
    return hop_ns(
        kBlocks,
        [&] {
          Spin spin;
          for (int block = 0; block < kBlocks; ++block) {
            work.make_own();
            for (std::size_t done = 0; done < kBlockSamples;) {
              const auto pushed = queue->push(work.source.data() + done, kBlockSamples - done);
              if (pushed == 0) spin.wait();
              done += pushed;
            }
          }
        },
        [&] {
          Spin spin;
          for (int block = 0; block < kBlocks; ++block) {
            for (std::size_t done = 0; done < kBlockSamples;) {
              const auto popped = queue->pop(work.target.data() + done, kBlockSamples - done);
              if (popped == 0) spin.wait();
              done += popped;
            }
            work.take_own();
          }
        });
  };
  return run_paired(kRounds, ours, peer);
}

// What a listener does with its block: looks at it here and there, or at every sample.
enum class Look { kHandedOver, kEverySample };

std::uint64_t look_at(const float* samples, Look look) {
  std::uint64_t sum = 0;
  if (look == Look::kHandedOver) {
    std::uint32_t first = 0;
    std::memcpy(&first, samples, sizeof first);
    return first;
  }
  for (std::uint32_t i = 0; i < kBlockSamples; i += 2) {
    std::uint64_t pair = 0;
    std::memcpy(&pair, samples + i, sizeof pair);
    sum += pair;
  }
  return sum;
}

Paired measure_fan_out(CursorPolicy policy, Look look) {
  constexpr int kReaders = 16;
  constexpr int kBlocks = 1'000;
  const std::vector<float> source(kBlockSamples, 0.25F);
  std::vector<float> target(kBlockSamples);
  const auto ring = make_ring();
  std::vector<Cursor> cursors(kReaders);
  for (Cursor& cursor : cursors) join(cursor, *ring, policy);
  std::vector<std::unique_ptr<Queue>> queues;
  for (int i = 0; i < kReaders; ++i) {
    queues.push_back(
        std::make_unique<Queue>(Queue::size_type{ring->capacity_frames() * kChannels}));
  }

  const auto ours = [&] {
    return cpu_ns([&] {
             for (int block = 0; block < kBlocks; ++block) {
               const auto room = ring->begin_write(kBlockFrames);
               std::memcpy(room.data, source.data(), kBlockBytes);
               ring->end_write(kBlockFrames);
               for (Cursor& cursor : cursors) {
                 const auto span = cursor.begin_read(kBlockFrames);
                 if (span.frames != kBlockFrames) std::exit(1);
                 keep(look_at(reinterpret_cast<const float*>(span.data), look));
                 cursor.end_read(span.frames);
               }
             }
           }) /
           kBlocks;
  };
  const auto peer = [&] {
    return cpu_ns([&] {
             for (int block = 0; block < kBlocks; ++block) {
               for (const auto& queue : queues) queue->push(source.data(), kBlockSamples);
               for (const auto& queue : queues) {
                 if (queue->pop(target.data(), kBlockSamples) != kBlockSamples) std::exit(1);
                 keep(look_at(target.data(), look));
               }
             }
           }) /
           kBlocks;
  };
  return run_paired(kRounds, ours, peer);
}

constexpr int kHops = 50'000;

Paired measure_empty_hop(CursorPolicy policy) {
  const auto ring = make_ring();
  Cursor cursor;
  join(cursor, *ring, policy);
  std::atomic<std::uint64_t> word{0};

  const auto ours = [&] {
    return cpu_ns([&] {
             for (int hop = 0; hop < kHops; ++hop) {
               const auto room = ring->begin_write(kBlockFrames);
               keep(room.data);
               ring->end_write(room.frames);
               const auto span = cursor.begin_read(kBlockFrames);
               keep(span.data);
               cursor.end_read(span.frames);
             }
           }) /
           kHops;
  };
  const auto peer = [&] {
    return cpu_ns([&] {
             for (int hop = 0; hop < kHops; ++hop) {
               const std::uint64_t value = word.load(std::memory_order_relaxed);
               keep(value);
               word.store(value + 1, std::memory_order_relaxed);
             }
           }) /
           kHops;
  };
  return run_paired(kRounds, ours, peer);
}

// The price of a bell that nobody waits for: a release store alone is the peer.
Paired measure_silent_bell() {
  sluice::engine::Bell bell;
  std::atomic<std::uint64_t> word{0};
  std::uint64_t value = 0;
  const auto ours = [&] {
    return cpu_ns([&] {
             for (int hop = 0; hop < kHops; ++hop) {
               word.store(++value, std::memory_order_release);
               bell.ring_if_waiting();
             }
           }) /
           kHops;
  };
  const auto peer = [&] {
    return cpu_ns([&] {
             for (int hop = 0; hop < kHops; ++hop) {
               word.store(++value, std::memory_order_release);
             }
           }) /
           kHops;
  };
  return run_paired(kRounds, ours, peer);
}

void row_hop_goal(sluice::bench::Table& table, const char* what, const Paired& it, bool is_goal) {
  table.row(what, it, "ns", is_goal ? "<= 2 x peer + 10 ns" : "", it.ours <= 2 * it.peer + 10);
}

}  // namespace

int main() {
  sluice::bench::Table table(
      "ring: 480-frame stereo f32 blocks, 8192 frames; medians of 101 paired rounds; peer: "
      "boost::lockfree::spsc_queue<float>");
  table.row_at_most("two threads, made and looked at in place, waiting cursor",
                    measure_hop<InPlace>(CursorPolicy::kWait), "ns", 1.0);
  table.row_at_most("two threads, copy in and out, waiting cursor",
                    measure_hop<Copies>(CursorPolicy::kWait), "ns", 1.0);
  table.row("two threads, copy in and out, skip cursor", measure_hop<Copies>(CursorPolicy::kSkip),
            "ns", "", true);
  table.row_at_most("1 writer, 16 waiting cursors, one thread, handed over",
                    measure_fan_out(CursorPolicy::kWait, Look::kHandedOver), "ns", 0.2);
  table.row("1 writer, 16 skip cursors, one thread, handed over",
            measure_fan_out(CursorPolicy::kSkip, Look::kHandedOver), "ns", "", true);
  table.row("1 writer, 16 waiting cursors, every sample looked at",
            measure_fan_out(CursorPolicy::kWait, Look::kEverySample), "ns", "", true);
  row_hop_goal(table, "empty hop, one thread, waiting cursor (peer: load + store)",
               measure_empty_hop(CursorPolicy::kWait), true);
  row_hop_goal(table, "empty hop, one thread, skip cursor (peer: load + store)",
               measure_empty_hop(CursorPolicy::kSkip), false);
  table.row("ring a bell nobody waits for (peer: the store alone)", measure_silent_bell(), "ns", "",
            true);
  return table.unmet() == 0 ? 0 : 1;
}
