/* Crashes while it is loaded. */
#include <stdlib.h>

#include "harmless.h"

__attribute__((constructor)) static void run(void) { abort(); }

HARMLESS_PLUGIN("acme.crashes");
