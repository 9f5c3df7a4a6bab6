// KeyDecoder makes keys of the bytes that a terminal sends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dptrace {

enum class KeyKind : std::uint8_t {
  kCharacter,
  kEnter,
  kEscape,
  kBackspace,
  kUp,
  kDown,
  kPageUp,
  kPageDown,
  kHome,
  kEnd,
  kOther,  ///< a key without a meaning here
};

struct Key {
  KeyKind kind = KeyKind::kOther;
  char character = 0;  ///< for kCharacter: printable ASCII

  friend bool operator==(const Key&, const Key&) = default;
};

/// The decoder keeps the bytes of an incomplete key for the next call. An escape at the end of
/// `bytes` is the key escape itself.
class KeyDecoder {
 public:
  std::vector<Key> feed(std::string_view bytes);

 private:
  std::string pending_;
};

}  // namespace dptrace
