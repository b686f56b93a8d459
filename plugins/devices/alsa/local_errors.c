#define _POSIX_C_SOURCE 200809L /* alsa/global.h defines struct timespec itself otherwise */

#include "local_errors.h"

#include <alsa/asoundlib.h>

void alsa_set_local_error_handler(alsa_error_handler handler) { snd_lib_error_set_local(handler); }
