// What stands between PortAudio and libjack, so that PortAudio survives the death of a JACK server.
//
// PortAudio's JACK host API waits for the next period of the server, up to 10 minutes, whenever a
// stream is started, stopped or closed (WaitCondition in pa_jack.c), and ends the whole program by
// an assertion where closing a port or its client fails (ASSERT_CALL). With a server that has died
// both happen. So this plugin exports those functions of libjack by which PortAudio becomes a
// client, closes ports and leaves; the dynamic linker finds them before libjack's, since the plugin
// stands first in the scope of the libraries that are loaded for it. They hand everything on to
// libjack. Once the server has died a thread calls PortAudio in its place, at its pace, and what
// would fail is taken to have been done: PortAudio then closes its streams and itself in the usual
// way, and meets the next server when it is initialised again.
#pragma once

namespace devices {

// PortAudio's JACK client has lost its server. From then on every stream on JACK is to be closed,
// and PortAudio terminated. [any]
bool has_jack_died() noexcept;

}  // namespace devices
