/* One type in a file of its name, for plugins that do something while they are loaded. */
#ifndef SLUICE_TESTS_BAD_PLUGINS_HARMLESS_H
#define SLUICE_TESTS_BAD_PLUGINS_HARMLESS_H

#include "nothing_node.h"

#define HARMLESS_PLUGIN(type_id)                                              \
  static const sluice_type type = {.struct_size = sizeof(sluice_type),        \
                                   .execution = SLUICE_EXECUTION_PASSIVE,     \
                                   .id = type_id,                             \
                                   .functions = &functions};                  \
  static const sluice_type* const types[] = {&type};                          \
  const sluice_library sluice_entry = {.struct_size = sizeof(sluice_library), \
                                       .abi_major = SLUICE_ABI_MAJOR,         \
                                       .type_count = 1,                       \
                                       .types = types,                        \
                                       .name = type_id}

#endif
