// Memory that one process writes and another one reads.
#pragma once

#include <cstddef>

#include "host/support/result.hpp"

namespace sluice::isolate {

// A sealed memory file, mapped. The one who made it and its other holder agree on who writes: where
// that is the maker, the file is sealed against every further writable mapping. Its size is sealed
// too, so that nobody's access can end in SIGBUS. Movable, not copyable. [control]
class Area {
 public:
  enum class Writer { kMaker, kOther };

  Area() = default;
  Area(Area&& other) noexcept { swap(other); }
  Area& operator=(Area&& other) noexcept {
    Area gone(static_cast<Area&&>(other));
    swap(gone);
    return *this;
  }
  ~Area();

  // `bytes` zeroed bytes, every page touched and, where the system allows it, locked. The maker's
  // own mapping is read-only where the other one writes. kNoMemory if the system refuses.
  static support::Result<Area> make(const char* name, std::size_t bytes, Writer writer);
  // Maps what somebody else made; takes the descriptor, which is closed in any case.
  static support::Result<Area> map(int descriptor, std::size_t bytes, Writer writer);

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  // Stays ours; -1 once closed.
  int descriptor() const { return descriptor_; }
  void close_descriptor();

 private:
  void swap(Area& other) noexcept;

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  int descriptor_ = -1;
};

}  // namespace sluice::isolate
