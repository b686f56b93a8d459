#include "host/engine/net/sentences.hpp"

#include <cerrno>
#include <system_error>

namespace sluice::engine {
namespace {

std::string system_text(int error) { return std::generic_category().message(error); }

std::string duration(uint32_t timeout_ms) {
  return timeout_ms % 1000 == 0 ? std::to_string(timeout_ms / 1000) + " s"
                                : std::to_string(timeout_ms) + " ms";
}

int rank(int error) {
  switch (error) {
    case ECONNREFUSED:
      return 5;
    case ECONNRESET:
      return 4;
    case ETIMEDOUT:
      return 3;
    case EHOSTUNREACH:
      return 2;
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return 0;
    default:
      return 1;
  }
}

}  // namespace

std::string connect_sentence(int error, const std::string& peer) {
  switch (error) {
    case ECONNREFUSED:
      return "Nothing listens on " + peer + ": start the server or mend `port`.";
    case ECONNRESET:
      return peer + " hung up at once: look why its server turns connections away.";
    case ETIMEDOUT:
      return peer +
             " does not answer: see that the machine is on and no firewall drops the packets, or "
             "mend `host`.";
    case EHOSTUNREACH:
      return "The machine of " + peer + " cannot be reached: switch it on or mend `host`.";
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return "There is no route to " + peer + ": connect this machine to that network.";
    case EINVAL:
      if (!peer.starts_with("[fe80:")) break;
      return peer + " is an address of one link: name the interface behind it, as in fe80::1%eth0.";
    case EACCES:
    case EPERM:
      return "This system forbids a connection to " + peer + ": look at its firewall rules.";
    default:
      break;
  }
  return "No connection to " + peer + ": " + system_text(error) + ".";
}

std::string broken_sentence(int error, const std::string& peer) {
  switch (error) {
    case ECONNRESET:
      return peer + " reset the connection: its program ended or turned this one away.";
    case EPIPE:
      return peer + " has closed the connection.";
    case ETIMEDOUT:
      return peer + " no longer answers: the machine or the network on the way is gone.";
    case EHOSTUNREACH:
    case ENETUNREACH:
      return "The way to " + peer + " is gone: look at the network of this machine.";
    default:
      return "The connection to " + peer + " broke: " + system_text(error) + ".";
  }
}

std::string listen_sentence(int error, const std::string& address, uint16_t port) {
  const std::string number = std::to_string(port);
  switch (error) {
    case EADDRINUSE:
      return "Port " + number +
             " is in use by another program: end that one or choose another `port`.";
    case EACCES:
    case EPERM:
      return "This system forbids listening on port " + number +
             ": choose a `port` from 1024 to 65535.";
    case EADDRNOTAVAIL:
      return address + " is no address of this machine: mend `host` or leave it empty for all.";
    case EMFILE:
    case ENFILE:
      return "Too many open files to listen on port " + number + ": raise the limit (ulimit -n).";
    default:
      return "Cannot listen on port " + number + ": " + system_text(error) + ".";
  }
}

std::string connect_timeout_sentence(const std::string& peer, uint32_t timeout_ms) {
  return peer + " did not answer within " + duration(timeout_ms) +
         ": see that the machine is on and no firewall drops the packets, or mend `host`.";
}

std::string look_up_timeout_sentence(const std::string& name, uint32_t timeout_ms) {
  return "Looking up the name \"" + name + "\" took longer than " + duration(timeout_ms) +
         ": look at the name server, or give `host` as an address.";
}

std::string unknown_name_sentence(const std::string& name) {
  return "No machine is called \"" + name + "\": mend `host` or give an address.";
}

bool tells_more(int a, int b) { return rank(a) > rank(b); }

}  // namespace sluice::engine
