// What goes wrong on the network, in sentences that say what to do.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::engine {

// Why a connection to `peer` ("192.0.2.1:4953") could not be made. `error` is an errno value.
std::string connect_sentence(int error, const std::string& peer);
// Why an open connection to `peer` broke.
std::string broken_sentence(int error, const std::string& peer);
// Why nobody can listen on `address` ("" for every one) and `port`.
std::string listen_sentence(int error, const std::string& address, uint16_t port);
// No answer from any address of `peer` within `timeout_ms`.
std::string connect_timeout_sentence(const std::string& peer, uint32_t timeout_ms);
std::string look_up_timeout_sentence(const std::string& name, uint32_t timeout_ms);
std::string unknown_name_sentence(const std::string& name);

// Of two errors of connection attempts, whether `a` tells more about the cause than `b`: an answer
// (refused) more than a missing one, that more than a missing route.
bool tells_more(int a, int b);

}  // namespace sluice::engine
