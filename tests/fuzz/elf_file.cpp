// The reader of shared objects: any bytes give an answer.
#include "host/loader/elf_file.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  sluice::loader::segments_end(bytes);
  const auto summary = sluice::loader::read_elf(bytes);
  if (!summary && summary.error().message.empty()) std::abort();
  return 0;
}
