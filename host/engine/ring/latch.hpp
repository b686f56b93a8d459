// One writer publishes a small value of several words; any number of readers get it whole.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sluice::engine {

// The newest value of a trivially copyable T whose size is a multiple of 8 bytes.
//
// The writer never waits and neither does a reader whom the writer has left alone: four copies take
// turns, so a writer that is preempted half-way leaves the last whole value readable. A reader
// tries again only if the writer finished three updates during one read. Holds no pointers: may
// live in shared memory. Every word is atomic (release/acquire, free on x86), so no fence is needed
// and ThreadSanitizer understands it.
template <typename T>
class Latch {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);

 public:
  // Readers get `initial` until the first write.
  explicit Latch(const T& initial = T{}) noexcept { fill(copies_[0], initial); }
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  // Publishes `value`. One thread at a time. [any]
  void write(const T& value) noexcept {
    const std::uint64_t next = version_.load(std::memory_order_relaxed) + 1;
    fill(copies_[next % kCopies], value);
    version_.store(next, std::memory_order_release);
  }

  // The value published last. [any]
  T read() const noexcept {
    for (;;) {
      const std::uint64_t before = version_.load(std::memory_order_acquire);
      Words words;
      const auto& copy = copies_[before % kCopies];
      for (std::size_t i = 0; i < kWords; ++i) words[i] = copy[i].load(std::memory_order_acquire);
      // The copy is written again as version before + kCopies, which begins after version
      // before + kCopies - 1 was published; whoever reads a word of it also sees that.
      if (version_.load(std::memory_order_relaxed) - before < kCopies - 1) {
        return std::bit_cast<T>(words);
      }
    }
  }

  // How often the value was published; changes with every write. [any]
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t kCopies = 4;
  static constexpr std::size_t kWords = sizeof(T) / sizeof(std::uint64_t);
  using Words = std::array<std::uint64_t, kWords>;
  using AtomicWords = std::array<std::atomic<std::uint64_t>, kWords>;

  static void fill(AtomicWords& copy, const T& value) noexcept {
    const Words words = std::bit_cast<Words>(value);
    for (std::size_t i = 0; i < kWords; ++i) copy[i].store(words[i], std::memory_order_release);
  }

  alignas(64) std::atomic<std::uint64_t> version_{0};
  std::array<AtomicWords, kCopies> copies_{};
};

}  // namespace sluice::engine
