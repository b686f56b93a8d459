/* A shared object that is no plugin. */
#include <stdlib.h>

__attribute__((constructor)) static void run(void) { abort(); }

__attribute__((visibility("default"))) int nothing = 1;
