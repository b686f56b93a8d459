/* A plugin of an ABI that is still to come. */
#include <sluice/plugin.h>
#include <stdlib.h>

__attribute__((constructor)) static void run(void) { abort(); }

const sluice_library sluice_entry = {
    .struct_size = sizeof(sluice_library), .abi_major = 2, .abi_minor = 3, .type_count = 1};
