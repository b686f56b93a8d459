// A buffer that ends at memory nobody may touch: one byte too far, read or written, ends the test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <span>

namespace sluice::tests {

template <typename T>
class GuardedBuffer {
 public:
  // `count` elements, all zero bits.
  explicit GuardedBuffer(std::size_t count) : count_(count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t used = (count * sizeof(T) + page - 1) / page * page;
    mapped_bytes_ = used + page;
    mapping_ =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) std::abort();
    auto* const end = static_cast<std::byte*>(mapping_) + used;
    if (mprotect(end, page, PROT_NONE) != 0) std::abort();
    first_ = reinterpret_cast<T*>(end) - count;
  }
  ~GuardedBuffer() { munmap(mapping_, mapped_bytes_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  T* data() { return first_; }
  std::span<T> span() { return {first_, count_}; }

 private:
  std::size_t count_;
  std::size_t mapped_bytes_ = 0;
  void* mapping_ = nullptr;
  T* first_ = nullptr;
};

}  // namespace sluice::tests
