#include "host/isolate/isolated_type.hpp"

#include <fmt/format.h>
#include <sluice/state.h>

#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <utility>

#include "host/engine/node.hpp"
#include "host/isolate/isolated_node.hpp"

namespace sluice::isolate {
namespace {

IsolatedNode& node_of(const sluice_node* node) {
  return *reinterpret_cast<IsolatedNode*>(const_cast<sluice_node*>(node));
}

sluice_result create(const sluice_host* host, sluice_node** node) {
  // Only nodes of the host's engine are made of these types.
  const auto& type = static_cast<const IsolatedType&>(engine::Node::of(host).type());
  auto made = std::make_unique<IsolatedNode>(*host, type);
  if (const sluice_result result = made->create(); result != SLUICE_OK) return result;
  *node = reinterpret_cast<sluice_node*>(made.release());
  return SLUICE_OK;
}
void destroy(sluice_node* node) { delete &node_of(node); }
sluice_result describe(sluice_node* node, uint32_t port, const sluice_format* inputs,
                       sluice_port_info* info) {
  return node_of(node).describe(port, inputs, *info);
}
sluice_result prepare(sluice_node* node, sluice_setup* setup) {
  return node_of(node).prepare(*setup);
}
void release(sluice_node* node) { node_of(node).release(); }

constexpr sluice_passive kPassive{
    [](sluice_node* node, sluice_block* block) { return node_of(node).process(*block); }, nullptr};
constexpr sluice_threaded kThreaded{[](sluice_node* node) { return node_of(node).run(); }};

constexpr sluice_device kDevice{[](sluice_node* node) { return node_of(node).start(); },
                                [](sluice_node* node) { node_of(node).stop(); }};

sluice_result save(sluice_node* node, void* context,
                   void (*take)(void* context, const void* data, size_t size_bytes)) {
  std::vector<std::byte> state;
  const sluice_result result = node_of(node).save(state);
  if (result == SLUICE_OK) take(context, state.data(), state.size());
  return result;
}
sluice_result load(sluice_node* node, const void* data, size_t size_bytes) {
  return node_of(node).load({static_cast<const std::byte*>(data), size_bytes});
}
constexpr sluice_state kState{save, load};

const void* get_interface(const sluice_node*, const char* id) {
  const std::string_view wanted = id;
  if (wanted == SLUICE_STATE) return &kState;
  if (wanted == SLUICE_PASSIVE) return &kPassive;
  if (wanted == SLUICE_DEVICE) return &kDevice;
  return wanted == SLUICE_THREADED ? &kThreaded : nullptr;
}

constexpr sluice_node_functions kFunctions{create,  destroy, describe,
                                           prepare, release, get_interface};

}  // namespace

support::Result<const IsolatedType*> isolated(const loader::Type& type,
                                              const std::filesystem::path& program) {
  const auto refuse = [&](std::string_view why) {
    return support::Error{
        support::ErrorCode::kUnsupported,
        fmt::format("A {} cannot run in a process of its own: {}", type.id(), why)};
  };
  if (program.empty()) return refuse("this program has no way to start one.");
  if (type.ports().size() > kMostPorts) {
    return refuse(fmt::format("it has more than {} ports.", kMostPorts));
  }
  if (type.statistics().size() > kMostStatistics || type.parameters().size() > kMostParameters) {
    return refuse("it has too many parameters or statistics.");
  }
  static std::mutex mutex;
  static std::map<std::pair<const loader::Type*, std::string>, std::unique_ptr<IsolatedType>> all;
  const std::lock_guard lock(mutex);
  auto& known = all[{&type, program.string()}];
  if (!known) {
    known = std::make_unique<IsolatedType>();
    static_cast<sluice_type&>(*known) = type.data();
    known->functions = &kFunctions;
    if (type.execution() == SLUICE_EXECUTION_PASSIVE) known->flags |= engine::kTypeIsApart;
    known->file = type.file();
    known->program = program;
  }
  return known.get();
}

}  // namespace sluice::isolate
