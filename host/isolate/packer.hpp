// Values in a row of bytes, for messages between two processes of the same program. [any]
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sluice::isolate {

class Packer {
 public:
  template <typename T>
  requires std::is_trivially_copyable_v<T> Packer& add(const T& value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof(T));
    return *this;
  }
  Packer& text(std::string_view text) { return list(std::span(text.data(), text.size())); }
  template <typename T>
  Packer& list(std::span<const T> items) {
    add(static_cast<uint32_t>(items.size()));
    const auto bytes = std::as_bytes(items);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  // As they are.
  Packer& bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// What is missing reads as zero, and is_good() is false from then on.
class Unpacker {
 public:
  explicit Unpacker(std::span<const std::byte> bytes) : left_(bytes) {}

  template <typename T>
  requires std::is_trivially_copyable_v<T> T take() {
    T value{};
    if (left_.size() < sizeof(T)) {
      is_good_ = false;
      left_ = {};
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof(T));
    left_ = left_.subspan(sizeof(T));
    return value;
  }
  template <typename T>
  std::vector<T> list() {
    const auto count = take<uint32_t>();
    if (left_.size() / sizeof(T) < count) {
      is_good_ = false;
      left_ = {};
      return {};
    }
    std::vector<T> items(count);
    if (count != 0) std::memcpy(items.data(), left_.data(), count * sizeof(T));
    left_ = left_.subspan(count * sizeof(T));
    return items;
  }
  std::string text() {
    const auto characters = list<char>();
    return {characters.begin(), characters.end()};
  }
  // All that is left.
  std::vector<std::byte> rest() { return {left_.begin(), left_.end()}; }
  bool is_good() const { return is_good_; }

 private:
  std::span<const std::byte> left_;
  bool is_good_ = true;
};

}  // namespace sluice::isolate
