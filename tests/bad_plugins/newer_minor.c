/* A plugin made with ABI 1.7: its structs have grown, and it has flags of its time. It must load.
 */
#include "nothing_node.h"

typedef struct grown_parameter {
  sluice_parameter now;
  const char* since_1_7;
  double more_since_1_7;
} grown_parameter;

typedef struct grown_port {
  sluice_port now;
  uint64_t since_1_7[3];
} grown_port;

static const grown_parameter parameters[] = {{.now = {.struct_size = sizeof(grown_parameter),
                                                      .kind = SLUICE_NUMBER,
                                                      .flags = SLUICE_PARAMETER_LIVE | 1u << 30,
                                                      .key = "first_db",
                                                      .minimum = -60,
                                                      .maximum = 20,
                                                      .default_number = -6},
                                              .since_1_7 = "x",
                                              .more_since_1_7 = 1},
                                             {.now = {.struct_size = sizeof(grown_parameter),
                                                      .kind = SLUICE_TEXT,
                                                      .key = "second",
                                                      .default_text = "two"},
                                              .since_1_7 = "y",
                                              .more_since_1_7 = 2}};

static const grown_port ports[] = {{.now = {.struct_size = sizeof(grown_port),
                                            .direction = SLUICE_INPUT,
                                            .kind = SLUICE_PCM,
                                            .clock = SLUICE_CLOCK_NONE,
                                            .key = "in"},
                                    .since_1_7 = {1, 2, 3}},
                                   {.now = {.struct_size = sizeof(grown_port),
                                            .direction = SLUICE_OUTPUT,
                                            .kind = SLUICE_PCM,
                                            .clock = SLUICE_CLOCK_NONE,
                                            .key = "out"},
                                    .since_1_7 = {4, 5, 6}}};

static const sluice_type type = {.struct_size = sizeof(sluice_type),
                                 .execution = SLUICE_EXECUTION_PASSIVE,
                                 .flags = 1u << 30,
                                 .id = "bad.newer",
                                 .ports = &ports[0].now,
                                 .port_count = 2,
                                 .parameter_count = 2,
                                 .parameters = &parameters[0].now,
                                 .functions = &functions};
static const sluice_type* const types[] = {&type};

const sluice_library sluice_entry = {.struct_size = sizeof(sluice_library),
                                     .abi_major = SLUICE_ABI_MAJOR,
                                     .abi_minor = 7,
                                     .type_count = 1,
                                     .types = types,
                                     .name = "Newer"};
