/* Announces types and has none. */
#include <sluice/plugin.h>

const sluice_library sluice_entry = {
    .struct_size = sizeof(sluice_library), .abi_major = SLUICE_ABI_MAJOR, .type_count = 3};
