// Changes to a document, as data: what the control API's methods and the commands ask for.
//
// A document is changed in its base: its normal form with secrets in clear, in which parameters
// have the values they have where no route sets them. Each function returns the changed base; an
// error is a sentence, and nothing is changed. Whether the result is a sound graph is seen when it
// is loaded. [control]
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"
#include "host/graph/value.hpp"
#include "host/support/result.hpp"

namespace sluice::session {

// Carries out one operation, an object whose `op` says what it is:
//
//   set         target ("node.parameter" or "a.out->b.in:option"), value; text stands for other
//               kinds too ("-45")
//   route       route, switch (may be left out where there is one)
//   connect     edge ("a -> b -> c"), options (of each)
//   disconnect  edge ("a -> b")
//   add         id, node (an object, or the name of a type), edges (a list of chains)
//   remove      id
//
// `types` knows every type the base names; an added node's too.
support::Result<graph::Value> apply_operation(graph::Value base, const graph::Catalog& types,
                                              const graph::Value& operation);

// A JSON Patch (RFC 6902) on the base, all or nothing. Refused where it would read a secret.
support::Result<graph::Value> apply_patch(const graph::Value& base, const graph::Catalog& types,
                                          const graph::Value& patch);

// Where a chain ("a -> b -> c") has the edge `key` of a base ("a.out->b.in"): what is left of it in
// front and behind. Nothing if it has not.
struct ChainLink {
  std::string front, back;  // chains; empty where one stop would be left
};
std::optional<ChainLink> find_link(const graph::Value& base, const graph::Catalog& types,
                                   const std::string& chain, const std::string& key);

// What one operation of either kind is called in a message: "set gate.open_db".
std::string name_of_operation(const graph::Value& operation);

}  // namespace sluice::session
