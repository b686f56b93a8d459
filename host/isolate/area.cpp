#include "host/isolate/area.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace sluice::isolate {
namespace {

support::Error refused(const char* what) {
  return {support::ErrorCode::kNoMemory, std::string("The system refused ") + what +
                                             " to share with a process of a plugin's own (" +
                                             std::generic_category().message(errno) +
                                             "): raise the limit on memory or open files."};
}

}  // namespace

Area::~Area() {
  if (data_ != nullptr) munmap(data_, bytes_);
  close_descriptor();
}

void Area::close_descriptor() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void Area::swap(Area& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(descriptor_, other.descriptor_);
}

support::Result<Area> Area::make(const char* name, std::size_t bytes, Writer writer) {
  Area area;
  area.bytes_ = bytes;
  area.descriptor_ = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (area.descriptor_ < 0) return refused("a memory file");
  if (ftruncate(area.descriptor_, static_cast<off_t>(bytes)) != 0) return refused("memory");
  const int protection = writer == Writer::kMaker ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = mmap(nullptr, bytes, protection, MAP_SHARED | MAP_POPULATE, area.descriptor_, 0);
  if (data == MAP_FAILED) return refused("a mapping");
  area.data_ = static_cast<std::byte*>(data);
  static_cast<void>(mlock(data, bytes));
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (writer == Writer::kMaker) seals |= F_SEAL_FUTURE_WRITE;
  if (fcntl(area.descriptor_, F_ADD_SEALS, seals) != 0) return refused("seals");
  return area;
}

support::Result<Area> Area::map(int descriptor, std::size_t bytes, Writer writer) {
  Area area;
  area.bytes_ = bytes;
  area.descriptor_ = descriptor;
  const int protection = writer == Writer::kOther ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = mmap(nullptr, bytes, protection, MAP_SHARED | MAP_POPULATE, descriptor, 0);
  if (data == MAP_FAILED) return refused("a mapping");
  area.data_ = static_cast<std::byte*>(data);
  area.close_descriptor();
  return area;
}

}  // namespace sluice::isolate
