/* Built with AddressSanitizer, which only its symbols tell. */
#include <sluice/plugin.h>

const sluice_library sluice_entry = {
    .struct_size = sizeof(sluice_library), .abi_major = SLUICE_ABI_MAJOR, .type_count = 1};
