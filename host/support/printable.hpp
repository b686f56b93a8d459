// Text from somewhere else (a plugin, a peer, a file) made safe for a terminal. [any]
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::support {

// `text` as valid UTF-8 without anything a terminal would act upon. Control characters become \n,
// \t, \xNN; bytes that are no UTF-8 \xNN; characters that change the direction of writing (Unicode
// TR 36) \u{NNNN}. What goes past `max_bytes` of the result is replaced by "...".
std::string printable(std::string_view text, std::size_t max_bytes = 4096);

// Length in bytes of the valid UTF-8 character at the start of `text` (RFC 3629: no overlong forms,
// no surrogates); 0 if there is none.
std::size_t utf8_length(std::string_view text);

// The longest beginning of `text` of at most `max_bytes` that does not end inside a character.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

}  // namespace sluice::support
