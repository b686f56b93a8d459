// The cache of plugin descriptions: any bytes are refused, or give types that can be shown and
// written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "host/loader/scan_cache.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  std::vector<const sluice::loader::Type*> types;
  if (!sluice::loader::decode_types(content, "/x.so", types)) return 0;
  uint16_t abi_minor = 0;
  content.copy(reinterpret_cast<char*>(&abi_minor), sizeof(abi_minor));
  const std::string again = sluice::loader::encode_types(abi_minor, types);
  std::vector<const sluice::loader::Type*> same;
  if (!sluice::loader::decode_types(again, "/x.so", same) || same.size() != types.size()) {
    std::abort();
  }
  return 0;
}
