/* State that a node hands to the one that takes its place: an extension of nodes (see
 * sluice_node_functions.get_interface). Plain C11.
 *
 * A node is replaced when its plugin was built anew, or when a parameter changes that is not live.
 * Without this the new one begins with an empty history, behind a cross-fade; with it, where the
 * old one was: a delay line filled, an envelope open, a count not lost.
 */
#ifndef SLUICE_STATE_H
#define SLUICE_STATE_H

#include <sluice/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_STATE "sluice.state/1"
typedef struct sluice_state {
  /* Hands over what is to be remembered, by one call of `take`, which copies it. The node goes on
   * running beside this call: what its own thread changes meanwhile has to be atomic, or a copy.
   * [control] */
  sluice_result (*save)(sluice_node* node, void* context,
                        void (*take)(void* context, const void* data, size_t size_bytes));
  /* Goes on from what a node of the same type, perhaps of an older or newer build, has saved; after
   * prepare and before anything runs. On failure, say for a layout it does not know, the node
   * begins anew, and the sentence is logged. [control] */
  sluice_result (*load)(sluice_node* node, const void* data, size_t size_bytes);
} sluice_state;

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_STATE_H */
