#include "host/engine/fiber.hpp"

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <utility>

#include "host/support/sanitizers.hpp"

#if SLUICE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if SLUICE_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace sluice::engine {
namespace {

// Decoders of compressed files are the hungriest tenants; pages never touched cost nothing.
constexpr size_t kStackBytes = size_t{1} << 20;

}  // namespace

struct Fiber::State {
  std::function<void()> body;
  boost::context::fiber inner;  // the suspended body, valid while it is not running
  boost::context::fiber outer;  // the suspended resumer, while the body runs
  bool is_finished = false;
#if SLUICE_ADDRESS_SANITIZER
  const void* stack_bottom = nullptr;
  size_t stack_bytes = 0;
  const void* outer_bottom = nullptr;
  size_t outer_bytes = 0;
  void* fake_stack = nullptr;
#endif
#if SLUICE_THREAD_SANITIZER
  void* tsan_fiber = nullptr;
  void* tsan_outer = nullptr;
#endif
};

#if SLUICE_ADDRESS_SANITIZER
namespace {

// Ends a switch that was begun with `own` saved: to a stack with the fake frames `other`, which are
// given back, and at once from there to the caller's.
void return_from(void* other, void* own) {
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(other, &bottom, &bytes);
  __sanitizer_start_switch_fiber(nullptr, bottom, bytes);
  __sanitizer_finish_switch_fiber(own, nullptr, nullptr);
}

}  // namespace
#endif

Fiber::Fiber(std::function<void()> body) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.body = std::move(body);
  boost::context::protected_fixedsize_stack allocator(kStackBytes);
  const boost::context::stack_context stack = allocator.allocate();
#if SLUICE_ADDRESS_SANITIZER
  state.stack_bottom = static_cast<const char*>(stack.sp) - stack.size;
  state.stack_bytes = stack.size;
  // Where another stack has lain, its frames are still marked; so would they be for who maps next.
  ASAN_UNPOISON_MEMORY_REGION(state.stack_bottom, state.stack_bytes);
#endif
#if SLUICE_THREAD_SANITIZER
  state.tsan_fiber = __tsan_create_fiber(0);
#endif
#if SLUICE_ADDRESS_SANITIZER
  // Making it steps onto its stack and back. What is called there must not take its frames from
  // the resumer's: they would be given back when that one throws, as they lie below all of its own.
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state.stack_bottom, state.stack_bytes);
#endif
  state.inner = boost::context::fiber(
      std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack), allocator,
      [&state](boost::context::fiber&& outer) {
#if SLUICE_ADDRESS_SANITIZER
        __sanitizer_finish_switch_fiber(nullptr, &state.outer_bottom, &state.outer_bytes);
#endif
        state.outer = std::move(outer);
        state.body();
        state.is_finished = true;
#if SLUICE_ADDRESS_SANITIZER
        // Null would take away frames that are returned through below; ~Fiber gives them back.
        __sanitizer_start_switch_fiber(&state.fake_stack, state.outer_bottom, state.outer_bytes);
#endif
#if SLUICE_THREAD_SANITIZER
        __tsan_switch_to_fiber(state.tsan_outer, 0);
#endif
        return std::move(state.outer);
      });
#if SLUICE_ADDRESS_SANITIZER
  return_from(nullptr, fake_stack);
#endif
}

Fiber::~Fiber() {
#if SLUICE_ADDRESS_SANITIZER
  state_->inner = {};
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state_->stack_bottom, state_->stack_bytes);
  return_from(state_->fake_stack, fake_stack);
  ASAN_UNPOISON_MEMORY_REGION(state_->stack_bottom, state_->stack_bytes);
#endif
#if SLUICE_THREAD_SANITIZER
  __tsan_destroy_fiber(state_->tsan_fiber);
#endif
}

void Fiber::resume() {
  State& state = *state_;
#if SLUICE_ADDRESS_SANITIZER
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state.stack_bottom, state.stack_bytes);
#endif
#if SLUICE_THREAD_SANITIZER
  state.tsan_outer = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(state.tsan_fiber, 0);
#endif
  state.inner = std::move(state.inner).resume();
#if SLUICE_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
  State& state = *state_;
#if SLUICE_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(&state.fake_stack, state.outer_bottom, state.outer_bytes);
#endif
#if SLUICE_THREAD_SANITIZER
  __tsan_switch_to_fiber(state.tsan_outer, 0);
#endif
  state.outer = std::move(state.outer).resume();
#if SLUICE_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(state.fake_stack, &state.outer_bottom, &state.outer_bytes);
#endif
}

bool Fiber::is_finished() const { return state_->is_finished; }

}  // namespace sluice::engine
