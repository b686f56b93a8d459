/* A filter in C: the header plugin.h is all it takes. It swaps left and right. */
#include <sluice/plugin.h>

/* It remembers nothing but its host. */
static sluice_result create(const sluice_host* host, sluice_node** node) {
  *node = (sluice_node*)host;
  return SLUICE_OK;
}
static void destroy(sluice_node* node) { (void)node; }
static sluice_result prepare(sluice_node* node, sluice_setup* setup) {
  const sluice_host* host = (const sluice_host*)node;
  if (setup->ports[0].format.channels == 2) return SLUICE_OK;
  host->fail(host, SLUICE_ERROR_FORMAT, "Only stereo has a left and a right.");
  return SLUICE_ERROR_FORMAT;
}
static void release(sluice_node* node) { (void)node; }

static sluice_status process(sluice_node* node, sluice_block* block) {
  (void)node;
  sluice_input* in = &block->inputs[0];
  sluice_output* out = &block->outputs[0];
  const float* from = in->data;
  float* to = out->data;
  const uint32_t frames = in->frames < out->frames ? in->frames : out->frames;
  for (uint32_t i = 0; i < frames; ++i) {
    to[2 * i] = from[2 * i + 1];
    to[2 * i + 1] = from[2 * i];
  }
  in->consumed = out->produced = frames;
  if ((in->flags & SLUICE_INPUT_ENDED) && frames == in->frames) return SLUICE_STATUS_DRAINED;
  return SLUICE_STATUS_CONTINUE;
}
static const sluice_passive passive = {process, 0};

static const void* get_interface(const sluice_node* node, const char* id) {
  (void)node;
  for (const char* own = SLUICE_PASSIVE; *own == *id; ++own, ++id) {
    if (*id == 0) return &passive;
  }
  return 0;
}
static const sluice_node_functions functions = {create,  destroy, 0,
                                                prepare, release, get_interface};

#define PCM(direction, flags, key, text) \
  { sizeof(sluice_port), direction, SLUICE_PCM, flags, SLUICE_CLOCK_NONE, key, text, &stereo, 1 }
static const sluice_format_offer stereo = {sizeof(sluice_format_offer),
                                           SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32),
                                           SLUICE_SAMPLE_F32,
                                           2,
                                           2,
                                           SLUICE_MIN_RATE_HZ,
                                           SLUICE_MAX_RATE_HZ};
static const sluice_port ports[] = {
    PCM(SLUICE_INPUT, 0, "in", "Stereo audio."),
    PCM(SLUICE_OUTPUT, SLUICE_PORT_SAME_FORMAT, "out", "The same, swapped.")};
static const sluice_type type = {.struct_size = sizeof(sluice_type),
                                 .execution = SLUICE_EXECUTION_PASSIVE,
                                 .flags = SLUICE_TYPE_EQUAL_COUNTS,
                                 .id = "org.example.filter.swap",
                                 .name = "Swap",
                                 .description = "Swaps left and right.",
                                 .ports = ports,
                                 .port_count = 2,
                                 .functions = &functions};
static const sluice_type* const types[] = {&type};

const sluice_library sluice_entry = {sizeof(sluice_library),
                                     SLUICE_ABI_MAJOR,
                                     SLUICE_ABI_MINOR,
                                     0,
                                     1,
                                     types,
                                     "Swap",
                                     "1.0.0",
                                     "Example",
                                     "MIT",
                                     0};
