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

// Types whose functions are there, but answer `get_interface` with `table`, which lacks something.
class Hollow final : public Filter<Hollow> {
 public:
  static constexpr Info kInfo{"bad.hollow", "Hollow", "Breaks a promise."};
  void filter(const float*, float*, uint32_t, uint32_t) {}
};
template <const auto* table>
const void* answer(const sluice_node*, const char*) {
  return table;
}
template <const auto* table>
constexpr sluice_node_functions kWithTable = [] {
  sluice_node_functions functions = sluice::TypeOf<Hollow>::kFunctions;
  functions.get_interface = answer<table>;
  return functions;
}();
constexpr sluice_type hollow(const char* id, uint32_t execution,
                             const sluice_node_functions& functions) {
  sluice_type type = sluice::TypeOf<Hollow>::kType;
  type.id = id;
  type.execution = execution;
  type.functions = &functions;
  return type;
}
constexpr const void* kNoTable = nullptr;
constexpr sluice_node_functions without_table() {
  sluice_node_functions functions = sluice::TypeOf<Hollow>::kFunctions;
  functions.get_interface = [](const sluice_node*, const char*) { return kNoTable; };
  return functions;
}
constexpr sluice_node_functions without_node() {
  sluice_node_functions functions = sluice::TypeOf<Hollow>::kFunctions;
  functions.create = [](const sluice_host*, sluice_node** node) -> sluice_result {
    *node = nullptr;
    return SLUICE_OK;
  };
  return functions;
}
constexpr sluice_node_functions kWithoutTable = without_table();
constexpr sluice_node_functions kWithoutNode = without_node();
constexpr sluice_passive kNoProcess{};
constexpr sluice_threaded kNoRun{};
constexpr sluice_device kNoStart{};
constexpr sluice_device kNoStop{[](sluice_node*) -> sluice_result { return SLUICE_OK; }, nullptr};
constexpr sluice_type kHollow[] = {
    hollow("bad.has-no-table", SLUICE_EXECUTION_PASSIVE, kWithoutTable),
    hollow("bad.has-no-node", SLUICE_EXECUTION_PASSIVE, kWithoutNode),
    hollow("bad.has-no-process", SLUICE_EXECUTION_PASSIVE, kWithTable<&kNoProcess>),
    hollow("bad.has-no-run", SLUICE_EXECUTION_THREADED, kWithTable<&kNoRun>),
    hollow("bad.has-no-start", SLUICE_EXECUTION_DEVICE, kWithTable<&kNoStart>),
    hollow("bad.has-no-stop", SLUICE_EXECUTION_DEVICE, kWithTable<&kNoStop>)};

template <typename... T>
constexpr std::array<const sluice_type*, sizeof...(T) + 6> kAll = {&sluice::TypeOf<T>::kType...,
                                                                   &kHollow[0],
                                                                   &kHollow[1],
                                                                   &kHollow[2],
                                                                   &kHollow[3],
                                                                   &kHollow[4],
                                                                   &kHollow[5]};
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
