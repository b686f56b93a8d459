// SIGINT, SIGTERM and SIGHUP: the first asks for an end, the second ends now. In a program without
// a terminal, which cannot hang up, SIGHUP asks it to read its files again. [control]
#pragma once

namespace sluice::cli {

// Installs the handlers, and ignores SIGPIPE and SIGXFSZ. `is_reloaded`: by SIGHUP.
void watch_signals(bool is_reloaded = false);
// Whether an end was asked for.
bool is_interrupted();
// Whether SIGHUP came since this was asked last.
bool take_reload();

}  // namespace sluice::cli
