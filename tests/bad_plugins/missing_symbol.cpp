// Calls a function that nobody defines.
#include <sluice/plugin.h>

namespace acme {
int tune(int note, const char* name);
}
extern "C" SLUICE_EXPORT int use_it() { return acme::tune(69, "a"); }

extern "C" SLUICE_EXPORT const sluice_library sluice_entry = {
    sizeof(sluice_library), SLUICE_ABI_MAJOR, 0, 0, 1, nullptr, "", "", "", "", nullptr};
