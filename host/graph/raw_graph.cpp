#include "host/graph/raw_graph.hpp"

#include <algorithm>
#include <utility>

namespace sluice::graph {

Location RawValue::at_index(std::size_t index) const {
  if (source == nullptr) return at;
  if (quote) return source->locate(offset_in_text(source->text(), *quote, index), at.pointer);
  if (!offsets.empty()) {
    return source->locate(offsets[std::min(index, offsets.size() - 1)], at.pointer);
  }
  return at;
}

RawValue raw_value(const Json& json, const std::shared_ptr<const SourceText>& source) {
  RawValue raw;
  raw.value = json.value();
  raw.at = json.at();
  raw.source = source;
  raw.json = json;
  if (json.is(JsonKind::kText)) raw.quote = json.begin();
  return raw;
}

RawValue raw_key(const Json& json, const std::shared_ptr<const SourceText>& source) {
  RawValue raw;
  raw.value = json.key();
  raw.at = json.key_at();
  raw.source = source;
  raw.quote = json.key_begin();
  return raw;
}

RawValue raw_argument(const std::shared_ptr<const SourceText>& source, std::size_t begin,
                      std::string pointer) {
  RawValue raw;
  const std::string_view text = source->text().substr(begin);
  raw.value = text;
  raw.at = source->locate(begin, std::move(pointer));
  raw.source = source;
  raw.loose = true;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    raw.offsets.push_back(static_cast<std::uint32_t>(begin + i));
  }
  return raw;
}

bool is_id(std::string_view text) {
  if (text.empty() || text[0] < 'a' || text[0] > 'z') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace sluice::graph
