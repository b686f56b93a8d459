/* One good type among bad ones. */
#include "nothing_node.h"

static const sluice_type good = {.struct_size = sizeof(sluice_type),
                                 .execution = SLUICE_EXECUTION_PASSIVE,
                                 .id = "bad.good",
                                 .functions = &functions};
static const sluice_type twice = {.struct_size = sizeof(sluice_type),
                                  .execution = SLUICE_EXECUTION_THREADED,
                                  .id = "bad.good",
                                  .functions = &functions};
static const sluice_type no_functions = {.struct_size = sizeof(sluice_type),
                                         .execution = SLUICE_EXECUTION_PASSIVE,
                                         .id = "bad.no-functions"};
static const sluice_type null_ports = {.struct_size = sizeof(sluice_type),
                                       .execution = SLUICE_EXECUTION_PASSIVE,
                                       .id = "bad.null-ports",
                                       .port_count = 2,
                                       .functions = &functions};
static const sluice_parameter parameters[] = {{.struct_size = sizeof(sluice_parameter),
                                               .kind = SLUICE_NUMBER,
                                               .key = "gain_db",
                                               .minimum = -60,
                                               .maximum = 20,
                                               .default_number = 30}};
static const sluice_type bad_default = {.struct_size = sizeof(sluice_type),
                                        .execution = SLUICE_EXECUTION_PASSIVE,
                                        .id = "bad.default",
                                        .parameter_count = 1,
                                        .parameters = parameters,
                                        .functions = &functions};
static const sluice_type* const types[] = {&good,       &twice,       &no_functions,
                                           &null_ports, &bad_default, 0};

const sluice_library sluice_entry = {.struct_size = sizeof(sluice_library),
                                     .abi_major = SLUICE_ABI_MAJOR,
                                     .type_count = 6,
                                     .types = types,
                                     .name = "Defective"};
