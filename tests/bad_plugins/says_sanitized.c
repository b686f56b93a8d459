/* Says that it was built with ThreadSanitizer. */
#include <sluice/plugin.h>
#include <stdlib.h>

__attribute__((constructor)) static void run(void) { abort(); }

const sluice_library sluice_entry = {.struct_size = sizeof(sluice_library),
                                     .abi_major = SLUICE_ABI_MAJOR,
                                     .build_flags = SLUICE_BUILD_THREAD_SANITIZER,
                                     .type_count = 1};
