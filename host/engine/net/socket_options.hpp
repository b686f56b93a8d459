// Options of TCP sockets on Linux; see tcp(7), socket(7), ip(7), ipv6(7).
#pragma once

#include <sluice/plugin.h>

#include <string>

namespace sluice::engine {

// Sets all that `options` asks for on a socket of address family `family`. What the system refuses
// is left as it is: a connection without a DSCP beats none. Call before connect, so that the send
// buffer and the marking hold for the handshake too.
void apply_stream_options(int socket, int family, const sluice_stream_options& options);

// Fills in the members that the kernel knows of an open socket: unsent and acknowledged bytes,
// window, round trip, retransmits.
void read_stream_info(int socket, sluice_stream_info& info);

// The pending error of a socket (SO_ERROR), or 0.
int take_socket_error(int socket);

// Closes with a reset: what was not sent is thrown away.
void close_with_reset(int socket);
// Closes politely: throws away what was received but not read, which would turn the close into a
// reset and cost the peer what is still on its way.
void close_politely(int socket);

}  // namespace sluice::engine
