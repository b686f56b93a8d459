#include "tests/support/allocation_count.hpp"

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_TEST_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_TEST_OWN_MALLOC 0
#endif
#endif
#ifndef SLUICE_TEST_OWN_MALLOC
#define SLUICE_TEST_OWN_MALLOC 1
#endif

namespace sluice::test {
namespace {
// Initial-exec: the first access must not allocate.
thread_local uint64_t allocations __attribute__((tls_model("initial-exec"))) = 0;
}  // namespace

uint64_t allocation_count() noexcept { return allocations; }
}  // namespace sluice::test

#if SLUICE_TEST_OWN_MALLOC
// Interposed as the glibc manual allows ("Replacing malloc"): what the C library takes for itself
// and free stay the library's own.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  ++sluice::test::allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++sluice::test::allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  ++sluice::test::allocations;
  return __libc_realloc(block, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++sluice::test::allocations;
  return __libc_memalign(alignment, size);
}
}
#endif
