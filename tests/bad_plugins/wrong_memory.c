/* Takes what malloc gives without a look. */
#include <stdlib.h>
#include <string.h>

#include "nothing_node.h"

static sluice_result create_boldly(const sluice_host* host, sluice_node** node) {
  char* volatile memory = malloc(64);
  (void)host;
  memset(memory, 0, 64);
  *node = (sluice_node*)(void*)memory;
  return SLUICE_OK;
}
static void give_back(sluice_node* node) { free(node); }

static const sluice_node_functions bold = {create_boldly, give_back, 0,
                                           prepare,       release,   get_interface};
static const sluice_type type = {.struct_size = sizeof(sluice_type),
                                 .execution = SLUICE_EXECUTION_PASSIVE,
                                 .id = "wrong.memory",
                                 .functions = &bold};
static const sluice_type* const types[] = {&type};
const sluice_library sluice_entry = {.struct_size = sizeof(sluice_library),
                                     .abi_major = SLUICE_ABI_MAJOR,
                                     .type_count = 1,
                                     .types = types};
