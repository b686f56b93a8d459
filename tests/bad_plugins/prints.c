/* Writes to the standard output while it is loaded, and is in order otherwise. */
#include <stdio.h>

#include "harmless.h"

__attribute__((constructor)) static void run(void) {
  puts("sluice probe 1\n0\n0\n");
  fflush(stdout);
}

HARMLESS_PLUGIN("acme.prints");
