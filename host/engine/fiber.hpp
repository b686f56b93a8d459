// A stack of its own for each lane of virtual time: all lanes then run on one thread, one at a
// time, in an order that is the same from run to run, and a switch costs tens of nanoseconds.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace sluice::engine {

// Runs `body` on its own stack whenever it is resumed, until it suspends or returns. A fiber must
// have finished before it is destroyed. Not thread safe: create, resume and destroy on one thread.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Continues the body. Must not be called from inside a fiber, nor on a finished one.
  void resume();
  // Returns from the resume() that runs the calling fiber.
  void suspend();
  bool is_finished() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::engine
