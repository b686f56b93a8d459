// SIGINT, SIGTERM and SIGHUP: the first asks for an end, the second ends now. [control]
#pragma once

namespace sluice::cli {

// Installs the handlers, and ignores SIGPIPE and SIGXFSZ.
void watch_signals();
// Whether an end was asked for.
bool is_interrupted();

}  // namespace sluice::cli
