// Memory in which the end is followed by the beginning.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "host/support/result.hpp"

namespace sluice::engine {

// Anonymous shared memory (memfd): a header, then a data area that is mapped twice back to back, so
// that data()[i] and data()[i + data_bytes()] are the same byte and every span of up to
// data_bytes() that begins in the first mapping is contiguous.
//
// Zeroed. Every page is touched in both mappings and locked, one by one, at creation; where the
// system refuses to lock (RLIMIT_MEMLOCK), the memory works all the same and lock_error() says why,
// once, for the caller's log. The size is sealed: nobody who gets descriptor() can shrink it under
// us. Unmapped and closed by the destructor. Movable, not copyable. Not thread safe itself.
class MirrorMemory {
 public:
  // `header_bytes` is rounded up to whole pages; `data_bytes` must be a positive multiple of
  // page_bytes(). `name` shows in /proc/PID/maps. kInvalid for a wrong size, kNoMemory if the
  // system has no memory, address space or descriptor left. [control]
  static support::Result<MirrorMemory> create(const char* name, std::size_t header_bytes,
                                              std::size_t data_bytes);

  // The system's page size, read at run time. [any]
  static std::size_t page_bytes() noexcept;

  MirrorMemory() = default;
  MirrorMemory(MirrorMemory&& other) noexcept { swap(other); }
  MirrorMemory& operator=(MirrorMemory&& other) noexcept {
    MirrorMemory gone(std::move(other));
    swap(gone);
    return *this;
  }
  MirrorMemory(const MirrorMemory&) = delete;
  MirrorMemory& operator=(const MirrorMemory&) = delete;
  ~MirrorMemory();

  // Page aligned; null if empty. [any]
  std::byte* header() const noexcept { return base_; }
  std::size_t header_bytes() const noexcept { return header_bytes_; }
  // Page aligned; 2 x data_bytes() may be addressed. [any]
  std::byte* data() const noexcept { return base_ + header_bytes_; }
  std::size_t data_bytes() const noexcept { return data_bytes_; }

  // The memfd: header at offset 0, data at header_bytes(). Stays ours. [any]
  int descriptor() const noexcept { return descriptor_; }

  // 0 if every page is locked, else the errno of the first refusal. [any]
  int lock_error() const noexcept { return lock_error_; }

 private:
  void swap(MirrorMemory& other) noexcept;

  std::byte* base_ = nullptr;
  std::size_t header_bytes_ = 0;
  std::size_t data_bytes_ = 0;
  int descriptor_ = -1;
  int lock_error_ = 0;
};

// Touches and locks the pages that `bytes` covers, one by one; 0 or the errno of the first refusal
// (touching goes on). For audio stacks too; never mlockall(MCL_FUTURE), after which an ordinary
// user cannot create threads. [control]
int touch_and_lock(std::span<std::byte> bytes) noexcept;

}  // namespace sluice::engine
