#include "host/engine/net/memory_network.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "host/engine/net/connecting.hpp"
#include "host/engine/net/sentences.hpp"

namespace sluice::engine {

using Lock = std::scoped_lock<std::mutex>;

// What can be waited for; a sluice_stream or sluice_listener pointer is one to its Object.
struct MemoryNetwork::Object {
  virtual ~Object() = default;
  virtual uint32_t ready(uint32_t events, int64_t now_ns) = 0;
  virtual int64_t next_ns(int64_t now_ns) = 0;
};

class MemoryNetwork::Stream final : public Object, private AttemptMaker {
 public:
  // One end of a connection that stands.
  Stream(MemoryNetwork& network, std::shared_ptr<MemoryConnection> connection, std::string peer)
      : network_(network),
        state_(SLUICE_STREAM_OPEN),
        connection_(std::move(connection)),
        side_(MemoryConnection::kServer),
        peer_(std::move(peer)) {}
  // A connection to be made when the look-up is done.
  Stream(MemoryNetwork& network, const std::string& name, uint16_t port,
         const sluice_stream_options& options, int64_t now_ns, int64_t look_up_done_ns,
         support::Result<std::vector<Address>> answer)
      : network_(network),
        options_(options),
        look_up_done_ns_(look_up_done_ns),
        answer_(std::move(answer)) {
    connecting_.emplace(name, port, options.connect_timeout_ms, now_ns);
  }

  uint32_t ready(uint32_t events, int64_t now_ns) override {
    drive(now_ns);
    if (state_ == SLUICE_STREAM_CONNECTING) return 0;
    if (state_ == SLUICE_STREAM_FAILED) return events;
    return connection_->ready(side_, events, now_ns);
  }

  int64_t next_ns(int64_t now_ns) override {
    drive(now_ns);
    if (!connecting_) return connection_ ? connection_->next_ns() : SLUICE_FOREVER;
    int64_t next = connecting_->wake_ns();
    if (!connecting_->is_looked_up()) next = std::min(next, look_up_done_ns_);
    for (const auto& attempt : connecting_->attempts()) {
      const MemoryConnection& trial = *trials_[static_cast<size_t>(attempt.handle)];
      next = std::min({next, trial.next_ns(), trial.request_arrival_ns()});
    }
    return next;
  }

  void drive(int64_t now_ns) {
    if (!connecting_) {
      if (connection_) network_.advance(connection_, now_ns);
      return;
    }
    if (!connecting_->is_looked_up() && now_ns >= look_up_done_ns_) {
      connecting_->looked_up(answer_);
    }
    if (const auto winner = connecting_->drive(*this, now_ns)) {
      connection_ = trials_[static_cast<size_t>(winner->handle)];
      peer_ = winner->address.text();
      state_ = SLUICE_STREAM_OPEN;
    } else if (!connecting_->sentence().empty()) {
      sentence_ = connecting_->sentence();
      state_ = SLUICE_STREAM_FAILED;
    } else {
      return;
    }
    connecting_.reset();
    trials_.clear();
  }

  sluice_result send(const void* data, size_t size_bytes, size_t& sent, int64_t now_ns) {
    sent = 0;
    drive(now_ns);
    if (state_ == SLUICE_STREAM_CONNECTING) return SLUICE_ERROR_AGAIN;
    if (state_ == SLUICE_STREAM_FAILED) return SLUICE_ERROR_NETWORK;
    return noted(connection_->send(side_, data, size_bytes, sent, now_ns));
  }
  sluice_result receive(void* data, size_t size_bytes, size_t& received, int64_t now_ns) {
    received = 0;
    drive(now_ns);
    if (state_ == SLUICE_STREAM_CONNECTING) return SLUICE_ERROR_AGAIN;
    if (!connection_) return SLUICE_ERROR_NETWORK;
    const sluice_result result = connection_->receive(side_, data, size_bytes, received, now_ns);
    if (state_ != SLUICE_STREAM_FAILED) return noted(result);
    return received > 0 ? SLUICE_OK : SLUICE_ERROR_NETWORK;
  }
  void info(sluice_stream_info& info, int64_t now_ns) {
    drive(now_ns);
    info = {};
    info.struct_size = sizeof(info);
    info.state = state_;
    info.sentence = sentence_.c_str();
    info.peer = peer_.c_str();
    if (connection_) connection_->info(side_, info, now_ns);
  }
  void finish(int64_t now_ns) {
    drive(now_ns);
    if (connection_) connection_->finish(side_, now_ns);
  }
  void close(bool abort) {
    if (connecting_) connecting_->drop_all(*this);
    if (connection_) network_.close_connection(connection_, side_, abort);
  }

 private:
  Begun begin(const Address& address) override {
    trials_.push_back(network_.begin_connection(address, options_));
    return {static_cast<int>(trials_.size() - 1), 0};
  }
  std::optional<int> outcome(int handle) override {
    const auto& trial = trials_[static_cast<size_t>(handle)];
    network_.advance(trial, network_.now_ns_());
    if (!trial->is_answered()) return std::nullopt;
    return trial->outcome();
  }
  void drop(int handle) override {
    network_.close_connection(trials_[static_cast<size_t>(handle)], MemoryConnection::kClient,
                              true);
  }
  sluice_result noted(sluice_result result) {
    if (result == SLUICE_ERROR_NETWORK) {
      state_ = SLUICE_STREAM_FAILED;
      sentence_ = broken_sentence(connection_->error(side_), peer_);
    }
    return result;
  }

  MemoryNetwork& network_;
  uint32_t state_ = SLUICE_STREAM_CONNECTING;
  std::shared_ptr<MemoryConnection> connection_;
  int side_ = MemoryConnection::kClient;
  std::string sentence_;
  std::string peer_;

  // Only while connecting.
  sluice_stream_options options_{};
  int64_t look_up_done_ns_ = 0;
  support::Result<std::vector<Address>> answer_ = std::vector<Address>{};
  std::optional<Connecting> connecting_;
  std::vector<std::shared_ptr<MemoryConnection>> trials_;
};

struct MemoryNetwork::Listener final : Object {
  struct Waiting {
    int64_t arrival_ns;
    std::shared_ptr<MemoryConnection> connection;
  };

  explicit Listener(MemoryNetwork& net) : network(net) {}
  uint32_t ready(uint32_t events, int64_t now_ns) override {
    network.advance_requests(now_ns);
    return queue.empty() ? 0 : events & SLUICE_NET_READ;
  }
  int64_t next_ns(int64_t now_ns) override {
    network.advance_requests(now_ns);
    int64_t next = SLUICE_FOREVER;
    for (const auto& connection : network.connections_) {
      next = std::min(next, connection->request_arrival_ns());
    }
    return next;
  }

  MemoryNetwork& network;
  std::string address;  // "" for every one
  uint16_t port = 0;
  sluice_stream_options options{};
  std::vector<Waiting> queue;  // in the order of arrival
};

MemoryNetwork::Stream& MemoryNetwork::as_stream(const sluice_stream* stream) {
  return static_cast<Stream&>(as_object(stream));
}
MemoryNetwork::Listener& MemoryNetwork::as_listener(const sluice_listener* listener) {
  return static_cast<Listener&>(as_object(listener));
}
MemoryNetwork::Object& MemoryNetwork::as_object(const void* object) {
  return *static_cast<Object*>(const_cast<void*>(object));
}

MemoryNetwork::MemoryNetwork(std::function<int64_t()> now_ns) : now_ns_(std::move(now_ns)) {
  add_name("localhost", {"127.0.0.1"});
}

MemoryNetwork::~MemoryNetwork() = default;

void MemoryNetwork::add_name(const std::string& name, std::vector<std::string> addresses,
                             int64_t look_up_ns) {
  const Lock lock(mutex_);
  names_[name] = {std::move(addresses), look_up_ns};
}

MemoryPath& MemoryNetwork::path_of(const std::string& address) const {
  const std::optional<Address> parsed = parse_address(address, 0);
  std::unique_ptr<MemoryPath>& path = paths_[parsed ? parsed->host() : address];
  if (!path) path = std::make_unique<MemoryPath>();
  return *path;
}

void MemoryNetwork::set_path(const std::string& address, const MemoryPath& path) {
  const Lock lock(mutex_);
  MemoryPath& existing = path_of(address);
  const int64_t now_ns = now_ns_();
  const bool was_open = existing.reach == MemoryPath::Reach::kOpen;
  advance_requests(now_ns);
  for (const auto& connection : connections_) {
    if (&connection->path() == &existing) connection->path_will_change(now_ns);
  }
  existing = path;
  for (const auto& connection : connections_) {
    if (&connection->path() == &existing) connection->path_changed(was_open, now_ns);
  }
}

MemoryPath MemoryNetwork::path(const std::string& address) const {
  const Lock lock(mutex_);
  return path_of(address);
}

void MemoryNetwork::reset_connections(const std::string& address) {
  const Lock lock(mutex_);
  const MemoryPath* path = &path_of(address);
  for (const auto& connection : connections_) {
    if (&connection->path() == path) connection->reset(now_ns_());
  }
}

size_t MemoryNetwork::connection_count(const std::string& address) const {
  const Lock lock(mutex_);
  const MemoryPath* path = &path_of(address);
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(), [path](const auto& connection) {
        return &connection->path() == path && !connection->is_over();
      }));
}

support::Result<sluice_stream*> MemoryNetwork::connect(const std::string& name, uint16_t port,
                                                       const sluice_stream_options& options) {
  const Lock lock(mutex_);
  if (name.empty()) {
    return support::Error{support::ErrorCode::kInvalid,
                          "There is no machine to connect to: give `host` a name or an address."};
  }
  const int64_t now_ns = now_ns_();
  forget_finished(now_ns);
  int64_t look_up_done_ns = now_ns;
  support::Result<std::vector<Address>> answer =
      support::Error{support::ErrorCode::kNotFound, unknown_name_sentence(name)};
  if (const std::optional<Address> address = parse_address(name, port)) {
    answer = std::vector<Address>{*address};
  } else if (const auto known = names_.find(name); known != names_.end()) {
    std::vector<Address> addresses;
    for (const std::string& text : known->second.addresses) {
      if (const auto parsed = parse_address(text, port)) addresses.push_back(*parsed);
    }
    answer = std::move(addresses);
    const int64_t takes_ns = known->second.look_up_ns;
    look_up_done_ns = takes_ns == SLUICE_FOREVER ? SLUICE_FOREVER : now_ns + takes_ns;
  }
  auto stream = std::make_unique<Stream>(*this, name, port, options, now_ns, look_up_done_ns,
                                         std::move(answer));
  stream->drive(now_ns);
  return reinterpret_cast<sluice_stream*>(static_cast<Object*>(stream.release()));
}

std::shared_ptr<MemoryConnection> MemoryNetwork::begin_connection(
    const Address& address, const sluice_stream_options& options) {
  auto connection =
      std::make_shared<MemoryConnection>(address, path_of(address.host()), options, now_ns_());
  connections_.push_back(connection);
  return connection;
}

support::Result<sluice_listener*> MemoryNetwork::listen(const std::string& address, uint16_t port,
                                                        const sluice_stream_options& options) {
  const Lock lock(mutex_);
  advance_requests(now_ns_());
  const bool everywhere = address.empty() || address == "*";
  const std::string numeric = address == "localhost" ? "127.0.0.1" : address;
  const std::optional<Address> own = parse_address(everywhere ? "::" : numeric, port);
  if (!own) {
    return support::Error{support::ErrorCode::kInvalid,
                          "Cannot listen on \"" + address +
                              "\": give an address of this machine, such as 127.0.0.1, or leave "
                              "`host` empty for all."};
  }
  auto listener = std::make_unique<Listener>(*this);
  listener->address = everywhere ? "" : own->host();
  listener->port = port ? port : next_free_port_++;
  listener->options = options;
  for (const Listener* other : listeners_) {
    if (other->port == listener->port &&
        (other->address == listener->address || other->address.empty() || everywhere)) {
      return support::Error{support::ErrorCode::kIo,
                            listen_sentence(EADDRINUSE, address, listener->port)};
    }
  }
  listeners_.push_back(listener.get());
  return reinterpret_cast<sluice_listener*>(static_cast<Object*>(listener.release()));
}

uint16_t MemoryNetwork::listener_port(const sluice_listener* listener) const {
  const Lock lock(mutex_);
  return as_listener(listener).port;
}

MemoryNetwork::Listener* MemoryNetwork::find_listener(const Address& address) const {
  const std::string host = address.host();
  for (Listener* listener : listeners_) {
    if (listener->port == address.port() &&
        (listener->address.empty() || listener->address == host)) {
      return listener;
    }
  }
  return nullptr;
}

// Lets one connection happen until now, its request included.
void MemoryNetwork::advance(const std::shared_ptr<MemoryConnection>& connection, int64_t now_ns) {
  while (connection->request_arrival_ns() <= now_ns) {
    const int64_t arrival_ns = connection->request_arrival_ns();
    if (connection->path().reach == MemoryPath::Reach::kBlackHole) {
      connection->request_lost();
      continue;
    }
    if (connection->path().reach == MemoryPath::Reach::kUnreachable) {
      connection->request_unreachable(arrival_ns);
      break;
    }
    Listener* listener = find_listener(connection->server_address());
    if (!listener) {
      connection->request_arrived(MemoryConnection::Answer::kRefused, {});
      break;
    }
    connection->request_arrived(MemoryConnection::Answer::kAccepted, listener->options);
    const auto behind = std::upper_bound(
        listener->queue.begin(), listener->queue.end(), arrival_ns,
        [](int64_t time, const Listener::Waiting& waiting) { return time < waiting.arrival_ns; });
    listener->queue.insert(behind, {arrival_ns, connection});
  }
  connection->advance(now_ns);
}

void MemoryNetwork::advance_requests(int64_t now_ns) {
  for (const auto& connection : connections_) {
    if (connection->request_arrival_ns() <= now_ns) advance(connection, now_ns);
  }
}

void MemoryNetwork::forget_finished(int64_t now_ns) {
  for (const auto& connection : connections_) connection->advance(now_ns);
  std::erase_if(connections_, [](const auto& connection) { return connection->is_over(); });
}

void MemoryNetwork::close_connection(const std::shared_ptr<MemoryConnection>& connection, int side,
                                     bool abort) {
  advance(connection, now_ns_());
  connection->close(side, abort, now_ns_());
}

sluice_result MemoryNetwork::accept(sluice_listener* listener, sluice_stream** stream) {
  const Lock lock(mutex_);
  *stream = nullptr;
  Listener& self = as_listener(listener);
  advance_requests(now_ns_());
  if (self.queue.empty()) return SLUICE_ERROR_AGAIN;
  auto accepted = std::make_unique<Stream>(*this, self.queue.front().connection,
                                           join_host_port("127.0.0.1", next_client_port_++));
  self.queue.erase(self.queue.begin());
  *stream = reinterpret_cast<sluice_stream*>(static_cast<Object*>(accepted.release()));
  return SLUICE_OK;
}

sluice_result MemoryNetwork::send(sluice_stream* stream, const void* data, size_t size_bytes,
                                  size_t& sent) {
  const Lock lock(mutex_);
  return as_stream(stream).send(data, size_bytes, sent, now_ns_());
}

sluice_result MemoryNetwork::receive(sluice_stream* stream, void* data, size_t size_bytes,
                                     size_t& received) {
  const Lock lock(mutex_);
  return as_stream(stream).receive(data, size_bytes, received, now_ns_());
}

void MemoryNetwork::info(sluice_stream* stream, sluice_stream_info& info) {
  const Lock lock(mutex_);
  as_stream(stream).info(info, now_ns_());
}

void MemoryNetwork::finish(sluice_stream* stream) {
  const Lock lock(mutex_);
  as_stream(stream).finish(now_ns_());
}

void MemoryNetwork::close(sluice_stream* stream, bool abort) {
  const Lock lock(mutex_);
  const std::unique_ptr<Stream> owned(&as_stream(stream));
  owned->close(abort);
  forget_finished(now_ns_());
}

void MemoryNetwork::close_listener(sluice_listener* listener) {
  const Lock lock(mutex_);
  advance_requests(now_ns_());
  const std::unique_ptr<Listener> owned(&as_listener(listener));
  for (const Listener::Waiting& waiting : owned->queue) {
    close_connection(waiting.connection, MemoryConnection::kServer, true);
  }
  std::erase(listeners_, owned.get());
}

uint32_t MemoryNetwork::ready(const void* object, uint32_t events) {
  const Lock lock(mutex_);
  return as_object(object).ready(events, now_ns_());
}

void MemoryNetwork::poll_set(const void* object, uint32_t /*events*/, std::vector<pollfd>& /*fds*/,
                             int64_t& wake_ns) {
  const Lock lock(mutex_);
  wake_ns = std::min(wake_ns, as_object(object).next_ns(now_ns_()));
}

}  // namespace sluice::engine
