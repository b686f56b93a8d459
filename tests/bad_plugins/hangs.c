/* Never comes back from being loaded. */
#include <unistd.h>

#include "harmless.h"

__attribute__((constructor)) static void run(void) {
  for (;;) pause();
}

HARMLESS_PLUGIN("acme.hangs");
