// Keys out of the bytes that a terminal sends.
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
  kOther,  ///< one that has no meaning here
};

struct Key {
  KeyKind kind = KeyKind::kOther;
  char character = 0;  ///< of kCharacter: printable ASCII

  friend bool operator==(const Key&, const Key&) = default;
};

/// Keeps a key whose bytes have not all come. An escape that ends what was read is the key itself.
class KeyDecoder {
 public:
  std::vector<Key> feed(std::string_view bytes);

 private:
  std::string pending_;
};

}  // namespace dptrace
