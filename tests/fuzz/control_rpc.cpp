// Lines as a client sends them: each is answered by JSON or not at all, and what operations and
// patches make of a graph is a graph or an error.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "host/control/rpc.hpp"
#include "host/graph/json_text.hpp"
#include "host/graph/load.hpp"
#include "host/session/edits.hpp"
#include "tests/support/graph_catalog.hpp"

namespace {

using sluice::graph::Value;

constexpr const char* kBase = R"({"sluice": 1, "name": "fuzz", "nodes": {
  "tone": {"type": "source.tone", "params": {}}, "gain": {"type": "filter.gain", "params": {}},
  "out": {"type": "sink.null", "params": {}}},
  "edges": {"tone.out->gain.in": {}}, "switches": {"main": {"routes": {
  "on": {"edges": {"gain.out->out.in": {}}}, "off": {"edges": {}}}, "initial": "on"}}})";

const Value& base() {
  static const Value value = *sluice::graph::parse_json_value(kBase);
  return value;
}

sluice::control::RpcResult loaded(const sluice::support::Result<Value>& changed) {
  if (!changed) return sluice::control::to_rpc(changed.error());
  sluice::graph::LoadOptions options;
  options.check_files = false;
  options.folder = "/nowhere";
  const auto result = sluice::graph::load_text(sluice::graph::to_json(*changed), "fuzz.json",
                                               sluice::test::graph_catalog(), options);
  if (!result.document && !sluice::graph::has_errors(result.diagnostics)) {
    std::fputs("neither a document nor an error\n", stderr);
    std::abort();
  }
  return *changed;
}

sluice::control::Rpc make_rpc() {
  using sluice::control::Caller;
  using sluice::control::Reply;
  sluice::control::Rpc rpc;
  rpc.add("change", [](const Value& params, const Caller&, const Reply& reply) {
    reply(loaded(sluice::session::apply_operation(base(), sluice::test::graph_catalog(), params)));
  });
  rpc.add("patch", [](const Value& params, const Caller&, const Reply& reply) {
    const Value* patch = params.find("patch");
    reply(loaded(sluice::session::apply_patch(base(), sluice::test::graph_catalog(),
                                              patch ? *patch : Value())));
  });
  return rpc;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const sluice::control::Rpc rpc = make_rpc();
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  int answers = 0;
  rpc.handle(sluice::graph::parse_json_value(line), {1}, [&](const std::string& answer) {
    ++answers;
    if (answer.empty()) return;
    if (!sluice::graph::parse_json_value(answer) || answer.find('\n') != std::string::npos) {
      std::fprintf(stderr, "no line of JSON: %s\n", answer.c_str());
      std::abort();
    }
  });
  if (answers != 1) {
    std::fputs("not answered once\n", stderr);
    std::abort();
  }
  return 0;
}
