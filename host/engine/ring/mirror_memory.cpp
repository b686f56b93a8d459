#include "host/engine/ring/mirror_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include "host/support/sanitizers.hpp"

#if SLUICE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace sluice::engine {
namespace {

support::Error refused(const char* what, std::size_t bytes, int error) {
  return {support::ErrorCode::kNoMemory,
          std::string("The system refused ") + what + " for a ring of " + std::to_string(bytes) +
              " bytes (" + std::generic_category().message(error) +
              "): ask for less buffering, or raise the limit on memory or open files."};
}

void touch(std::byte* page) noexcept {
  auto* byte = static_cast<volatile std::byte*>(page);
  *byte = *byte;
}

}  // namespace

std::size_t MirrorMemory::page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

support::Result<MirrorMemory> MirrorMemory::create(const char* name, std::size_t header_bytes,
                                                   std::size_t data_bytes) {
  const std::size_t page = page_bytes();
  constexpr std::size_t kMost = std::numeric_limits<std::ptrdiff_t>::max() / 4;
  if (data_bytes == 0 || data_bytes % page != 0 || data_bytes > kMost || header_bytes > kMost) {
    return support::Error{support::ErrorCode::kInvalid,
                          "A ring's data area of " + std::to_string(data_bytes) +
                              " bytes is not a usable multiple of the page size " +
                              std::to_string(page) + "."};
  }
  MirrorMemory memory;
  const std::size_t header = (header_bytes + page - 1) / page * page;
  const std::size_t mapped = header + 2 * data_bytes;

  memory.descriptor_ = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memory.descriptor_ < 0) return refused("a memory file", data_bytes, errno);
  if (ftruncate(memory.descriptor_, static_cast<off_t>(header + data_bytes)) != 0) {
    return refused("memory", data_bytes, errno);
  }
  // A peer that shrank the file would turn our next access into SIGBUS.
  if (fcntl(memory.descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return refused("seals", data_bytes, errno);
  }

  void* base = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return refused("address space", data_bytes, errno);
#if SLUICE_ADDRESS_SANITIZER
  // Where a stack has lain, its frames are still marked.
  ASAN_UNPOISON_MEMORY_REGION(base, mapped);
#endif
  memory.base_ = static_cast<std::byte*>(base);
  memory.header_bytes_ = header;
  memory.data_bytes_ = data_bytes;

  const int protection = PROT_READ | PROT_WRITE;
  const int flags = MAP_SHARED | MAP_FIXED;
  if (mmap(base, header + data_bytes, protection, flags, memory.descriptor_, 0) == MAP_FAILED ||
      mmap(memory.base_ + header + data_bytes, data_bytes, protection, flags, memory.descriptor_,
           static_cast<off_t>(header)) == MAP_FAILED) {
    return refused("a mapping", data_bytes, errno);
  }
  memory.lock_error_ = touch_and_lock({memory.base_, header + data_bytes});
  // The second mapping shares the locked pages; it needs its page table entries only.
  for (std::size_t at = 0; at < data_bytes; at += page) {
    touch(memory.base_ + header + data_bytes + at);
  }
  return memory;
}

MirrorMemory::~MirrorMemory() {
  if (base_ != nullptr) munmap(base_, header_bytes_ + 2 * data_bytes_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MirrorMemory::swap(MirrorMemory& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(header_bytes_, other.header_bytes_);
  std::swap(data_bytes_, other.data_bytes_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(lock_error_, other.lock_error_);
}

int touch_and_lock(std::span<std::byte> bytes) noexcept {
  if (bytes.empty()) return 0;
  const std::size_t page = MirrorMemory::page_bytes();
  // From the beginning of the page the first byte lies in; pages are powers of two.
  const std::size_t into_page = reinterpret_cast<std::uintptr_t>(bytes.data()) & (page - 1);
  int error = 0;
  for (std::size_t done = 0; done < bytes.size();) {
    std::byte* at = bytes.data() + done;
    touch(at);
    std::byte* start = done == 0 ? at - into_page : at;
    if (error == 0 && mlock(start, page) != 0) error = errno;
    done = static_cast<std::size_t>(start + page - bytes.data());
  }
  return error;
}

}  // namespace sluice::engine
