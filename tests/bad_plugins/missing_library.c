/* Needs libacme.so, which is not where libraries are. */
#include <sluice/plugin.h>

int acme_tune(int note);
SLUICE_EXPORT int tune(int note);
int tune(int note) { return acme_tune(note); }

const sluice_library sluice_entry = {
    .struct_size = sizeof(sluice_library), .abi_major = SLUICE_ABI_MAJOR, .type_count = 1};
