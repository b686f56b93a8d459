/* Does while it is loaded what it may not, exports more than its entry, and does not say whose it
 * is. */
#include <signal.h>
#include <stdio.h>

#include "nothing_node.h"

__attribute__((visibility("default"))) int something_else = 1;

__attribute__((constructor)) static void greet(void) {
  puts("hello");
  signal(SIGUSR1, SIG_IGN);
}

static const sluice_type type = {.struct_size = sizeof(sluice_type),
                                 .execution = SLUICE_EXECUTION_PASSIVE,
                                 .id = "wrong.loading",
                                 .functions = &functions};
static const sluice_type* const types[] = {&type};
const sluice_library sluice_entry = {.struct_size = sizeof(sluice_library),
                                     .abi_major = SLUICE_ABI_MAJOR,
                                     .type_count = 1,
                                     .types = types};
