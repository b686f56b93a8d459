// Counts what a thread takes from the heap, in the test program and in every plugin it loads.
#pragma once

#include <cstdint>

namespace sluice::test {

// Calls of malloc, calloc, realloc and aligned allocation (operator new comes down to them) that
// this thread has made so far. Always 0 under a sanitizer, whose own allocator stands there.
uint64_t allocation_count() noexcept;

}  // namespace sluice::test
