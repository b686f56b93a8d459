/* Ends the process while it is loaded. */
#include <unistd.h>

#include "harmless.h"

__attribute__((constructor)) static void run(void) { _exit(7); }

HARMLESS_PLUGIN("acme.exits");
