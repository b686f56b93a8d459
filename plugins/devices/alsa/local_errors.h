/* alsa/error.h declares snd_lib_error_set_local outside of its extern "C", so that C++ would link
 * another function. */
#ifndef SLUICE_ALSA_LOCAL_ERRORS_H
#define SLUICE_ALSA_LOCAL_ERRORS_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*alsa_error_handler)(const char* file, int line, const char* function, int error,
                                   const char* format, va_list arguments);

/* What ALSA's library complains of in the calling thread goes to `handler`; null: to stderr. [any]
 */
void alsa_set_local_error_handler(alsa_error_handler handler);

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_ALSA_LOCAL_ERRORS_H */
