// Loads without complaint; each type breaks one promise when it is used.
#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <mutex>
#include <sluice/sluice.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using sluice::Filter;
using sluice::Info;
using sluice::Passive;

// A filter that does `body` in each call and passes its input on.
#define BAD_FILTER(Name, id, ...)                                                  \
  class Name final : public Filter<Name> {                                         \
   public:                                                                         \
    static constexpr Info kInfo{"bad." id, #Name, "Breaks a promise."};            \
    void filter(const float* in, float* out, uint32_t frames, uint32_t channels) { \
      std::copy_n(in, size_t{frames} * channels, out);                             \
      __VA_ARGS__;                                                                 \
    }                                                                              \
  }

// Seen by nobody but the compiler, which therefore cannot leave the work out.
void* volatile sink = nullptr;
void* memory = std::malloc(16);
std::mutex mutex;

BAD_FILTER(Allocates, "allocates", sink = new int[16]; delete[] static_cast<int*>(sink));
BAD_FILTER(Frees, "frees", std::free(std::exchange(memory, nullptr)));
BAD_FILTER(Locks, "locks", const std::lock_guard lock(mutex));
BAD_FILTER(OpensFile, "opens-file", close(open("/dev/null", O_WRONLY | O_CLOEXEC)));
BAD_FILTER(Prints, "prints", std::puts("now"); std::cout << "now\n");
BAD_FILTER(Logs, "logs", info("now"));
BAD_FILTER(Sleeps, "sleeps", std::this_thread::sleep_for(std::chrono::nanoseconds(1)));
BAD_FILTER(MakesNan, "makes-nan", out[0] = std::numeric_limits<float>::quiet_NaN());
BAD_FILTER(WritesBeyond, "writes-beyond", out[size_t{frames} * channels] = 1.0F);

#undef BAD_FILTER

class ThrowsInCreate final : public Filter<ThrowsInCreate> {
 public:
  static constexpr Info kInfo{"bad.throws-in-create", "Throws", "Breaks a promise."};
  ThrowsInCreate() { throw std::runtime_error("no luck today"); }
  void filter(const float*, float*, uint32_t, uint32_t) {}
};

class FailsInPrepare final : public Filter<FailsInPrepare> {
 public:
  static constexpr Info kInfo{"bad.fails-in-prepare", "Fails", "Breaks a promise."};
  void prepare(sluice::Setup&) {
    throw sluice::Failure{SLUICE_ERROR_DEVICE, "The device is not there."};
  }
  void filter(const float*, float*, uint32_t, uint32_t) {}
};

class FailsWithoutSentence final : public Filter<FailsWithoutSentence> {
 public:
  static constexpr Info kInfo{"bad.fails-without-sentence", "Fails", "Breaks a promise."};
  void prepare(sluice::Setup&) { throw sluice::Failure{SLUICE_ERROR_IO, ""}; }
  void filter(const float*, float*, uint32_t, uint32_t) {}
};

// A passive node that answers `status` and moves nothing but what `body` says.
#define BAD_PASSIVE(Name, id, status, ...)                              \
  class Name final : public Passive<Name> {                             \
   public:                                                              \
    static constexpr Info kInfo{"bad." id, #Name, "Breaks a promise."}; \
    static constexpr const auto& kPorts = sluice::kFilterPorts;         \
    sluice_status process([[maybe_unused]] sluice_block& block) {       \
      __VA_ARGS__;                                                      \
      return status;                                                    \
    }                                                                   \
  }

BAD_PASSIVE(NeverProgresses, "never-progresses", SLUICE_STATUS_CONTINUE);
BAD_PASSIVE(AnswersNothing, "answers-nothing", SLUICE_STATUS_INVALID);
BAD_PASSIVE(AnswersNonsense, "answers-nonsense", 4711);
BAD_PASSIVE(ClaimsTooMuch, "claims-too-much",
            (block.inputs[0].flags & SLUICE_INPUT_ENDED) != 0 ? SLUICE_STATUS_DRAINED
                                                              : SLUICE_STATUS_CONTINUE,
            block.inputs[0].consumed = block.inputs[0].frames + 1000;
            block.outputs[0].produced = block.outputs[0].frames + 1000);

#undef BAD_PASSIVE

// Says it is passive, but has no table for it.
class HasNoTable final : public Filter<HasNoTable> {
 public:
  static constexpr Info kInfo{"bad.has-no-table", "No table", "Breaks a promise."};
  void filter(const float*, float*, uint32_t, uint32_t) {}
};
constexpr sluice_node_functions without_table() {
  sluice_node_functions functions = sluice::TypeOf<HasNoTable>::kFunctions;
  functions.get_interface = [](const sluice_node*, const char*) -> const void* { return nullptr; };
  return functions;
}
constexpr sluice_node_functions kWithoutTable = without_table();
constexpr sluice_type without_table_type() {
  sluice_type type = sluice::TypeOf<HasNoTable>::kType;
  type.functions = &kWithoutTable;
  return type;
}
constexpr sluice_type kHasNoTable = without_table_type();

template <typename... T>
constexpr std::array<const sluice_type*, sizeof...(T) + 1> kAll = {&sluice::TypeOf<T>::kType...,
                                                                   &kHasNoTable};
constexpr const auto& kTypes =
    kAll<Allocates, Frees, Locks, OpensFile, Prints, Logs, Sleeps, MakesNan, WritesBeyond,
         ThrowsInCreate, FailsInPrepare, FailsWithoutSentence, NeverProgresses, AnswersNothing,
         AnswersNonsense, ClaimsTooMuch>;

constexpr sluice_library make_library() {
  sluice_library library = sluice::library<Allocates>("Misbehaving", "1", "Tests", "MIT");
  library.types = kTypes.data();
  library.type_count = kTypes.size();
  return library;
}

}  // namespace

extern "C" SLUICE_EXPORT const sluice_library sluice_entry = make_library();
