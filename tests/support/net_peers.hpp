// Programs at the other end of a connection, for tests in virtual time: one that sends and one that
// receives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/worker_driver.hpp"

namespace sluice::tests {

// Connects and sends what it is given, as fast as the connection takes it.
class SendingPeer final : public Participant {
 public:
  explicit SendingPeer(WorkerDriver& driver) : driver_(driver) { driver.add(*this); }
  ~SendingPeer() override { close(); }

  // What was pushed before goes out then.
  void connect(const std::string& host = "127.0.0.1", uint16_t port = 4953);
  void push(std::span<const std::byte> bytes);
  void push(std::string_view bytes) { push(std::as_bytes(std::span(bytes))); }
  template <typename T>
  void push(const std::vector<T>& samples) {
    push(std::as_bytes(std::span(samples)));
  }
  // Closes when everything has been sent.
  void finish() { is_finishing_ = true; }
  void close(bool abort = false);
  bool has_sent_all() const { return queue_.empty(); }
  // The other side has closed or reset the connection.
  bool was_dropped() const { return was_dropped_; }

  void act() override;
  int64_t wake_ns() override;

 private:
  WorkerDriver& driver_;
  sluice_stream* stream_ = nullptr;
  std::deque<std::byte> queue_;
  bool is_finishing_ = false;
  bool was_dropped_ = false;
};

// Listens or connects, and reads everything, from one connection after the other.
class ReceivingPeer final : public Participant {
 public:
  struct Arrival {
    int64_t at_ns;
    size_t end;  // of the bytes that had arrived by then
  };
  struct Session {
    int64_t start_ns = 0;
    int64_t end_ns = -1;  // -1: open
    bool ended_politely = false;
    std::vector<std::byte> bytes;
    std::vector<Arrival> arrivals;
    template <typename T>
    std::vector<T> samples() const {
      std::vector<T> all(bytes.size() / sizeof(T));
      std::memcpy(all.data(), bytes.data(), all.size() * sizeof(T));
      return all;
    }
  };

  explicit ReceivingPeer(WorkerDriver& driver, bool keeps_bytes = true)
      : driver_(driver), keeps_bytes_(keeps_bytes) {
    driver.add(*this);
  }
  ~ReceivingPeer() override { stop_listening(), close(); }

  void listen(const std::string& address = "127.0.0.1", uint16_t port = 4953);
  void stop_listening();
  // Connects to somebody who sends; the session begins when that one has accepted it or not.
  void connect(const std::string& host = "127.0.0.1", uint16_t port = 4953);
  // While false, the peer leaves what comes in its receive buffer.
  void set_reading(bool reads) { reads_ = reads; }
  void send(std::string_view bytes);
  // Closes the connection; with `abort` by a reset.
  void close(bool abort = false);
  bool is_connected() const { return stream_ != nullptr; }
  const std::vector<Session>& sessions() const { return sessions_; }
  const Session& session(size_t index = 0) const { return sessions_.at(index); }

  void act() override;
  int64_t wake_ns() override;

 private:
  void end_session(bool politely);

  WorkerDriver& driver_;
  const bool keeps_bytes_;
  sluice_listener* listener_ = nullptr;
  sluice_stream* stream_ = nullptr;
  bool reads_ = true;
  size_t total_ = 0;
  std::vector<Session> sessions_;
};

}  // namespace sluice::tests
