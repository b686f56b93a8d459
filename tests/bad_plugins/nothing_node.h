/* The functions of a node that does nothing, for plugins that are about data. */
#ifndef SLUICE_TESTS_BAD_PLUGINS_NOTHING_NODE_H
#define SLUICE_TESTS_BAD_PLUGINS_NOTHING_NODE_H

#include <sluice/plugin.h>

static sluice_result create(const sluice_host* host, sluice_node** node) {
  *node = (sluice_node*)host;
  return SLUICE_OK;
}
static void destroy(sluice_node* node) { (void)node; }
static sluice_result prepare(sluice_node* node, sluice_setup* setup) {
  (void)node;
  (void)setup;
  return SLUICE_OK;
}
static void release(sluice_node* node) { (void)node; }
static const void* get_interface(const sluice_node* node, const char* id) {
  (void)node;
  (void)id;
  return 0;
}
static const sluice_node_functions functions = {create,  destroy, 0,
                                                prepare, release, get_interface};

#endif
