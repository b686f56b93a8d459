// Byte streams over the network, as the engine sees them: real sockets (SocketNetwork) or their
// in-memory twin in virtual time (MemoryNetwork). Stands behind the ABI table sluice_net_host.
#pragma once

#include <poll.h>
#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/support/result.hpp"

namespace sluice::engine {

// Nothing here blocks. A stream or listener belongs to one thread at a time, whoever made it;
// different ones may be used by different threads at once, and connect and listen by all. A pointer
// stays valid until it is closed; the Network must outlive all its objects.
//
// Waiting is done by the caller: ask `ready`; if it answers 0, collect `poll_set`, poll(2) the
// descriptors until the earliest wake time, and ask `ready` again. In virtual time a stream may
// also become ready through what another participant does at this very moment (a send without
// delay): a scheduler asks `ready` of everybody who waits after each turn, before time moves.
class Network {
 public:
  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  // Begins to connect to a name, an IPv4 or an IPv6 address. Fails only for want of memory or
  // descriptors or for an unusable name; all else shows in `info` once the stream is ready for
  // SLUICE_NET_WRITE. `options` is complete (struct_size of this build).
  virtual support::Result<sluice_stream*> connect(const std::string& name, uint16_t port,
                                                  const sluice_stream_options& options) = 0;

  // Listens on an address of this machine ("" or "*": every one, IPv4 and IPv6; "localhost")
  // and a port (0: any free one, see listener_port). `options` are given to accepted streams.
  virtual support::Result<sluice_listener*> listen(const std::string& address, uint16_t port,
                                                   const sluice_stream_options& options) = 0;
  virtual uint16_t listener_port(const sluice_listener* listener) const = 0;

  // The next peer that waits. SLUICE_OK, SLUICE_ERROR_AGAIN if none, SLUICE_ERROR_MEMORY if there
  // are no descriptors left for it (it is then turned away), SLUICE_ERROR_NETWORK if the listener
  // is broken.
  virtual sluice_result accept(sluice_listener* listener, sluice_stream** stream) = 0;

  // Hands over what can go out at once: `sent` of `size_bytes`. SLUICE_OK, SLUICE_ERROR_AGAIN if
  // nothing (buffer full, or still connecting), SLUICE_ERROR_NETWORK if the stream is broken (the
  // sentence is in `info` then), SLUICE_ERROR_STATE after `finish`.
  virtual sluice_result send(sluice_stream* stream, const void* data, size_t size_bytes,
                             size_t& sent) = 0;

  // Takes what is there. SLUICE_OK with received == 0: the peer has ended its sending half.
  // SLUICE_ERROR_AGAIN if nothing is there yet, SLUICE_ERROR_NETWORK if the stream is broken.
  virtual sluice_result receive(sluice_stream* stream, void* data, size_t size_bytes,
                                size_t& received) = 0;

  // Fills in all members. Its strings are valid until the stream is closed.
  virtual void info(sluice_stream* stream, sluice_stream_info& info) = 0;

  // Ends the sending half; what `send` accepted still goes out. The peer's own end is then seen by
  // `receive`.
  virtual void finish(sluice_stream* stream) = 0;

  // Closes and frees; what was sent still goes out, as far as the system does that by itself. With
  // `abort` it is thrown away and the peer sees a reset.
  virtual void close(sluice_stream* stream, bool abort) = 0;
  virtual void close_listener(sluice_listener* listener) = 0;

  // Looks, without waiting, which of `events` (SLUICE_NET_*) are ready on a stream or listener of
  // this network, and drives connection attempts. A listener is ready for READ when somebody waits;
  // a stream for READ when receive would not answer AGAIN, for WRITE when there is room worth the
  // call (a third of the send buffer, as poll(2) sees it). A connecting stream is ready for WRITE
  // as soon as it is open or has failed, a broken one for whatever is asked.
  virtual uint32_t ready(const void* object, uint32_t events) = 0;

  // Appends what to poll for until `ready` may answer otherwise, and lowers `wake_ns` to the time
  // at which to ask again at the latest even if no descriptor has anything (connection attempts
  // that take turns, deliveries of the in-memory network). Leaves wake_ns alone if there is no such
  // time. The set changes whenever `ready` is asked: collect it anew for each wait.
  virtual void poll_set(const void* object, uint32_t events, std::vector<pollfd>& fds,
                        int64_t& wake_ns) = 0;
};

}  // namespace sluice::engine
