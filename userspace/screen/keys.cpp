#include "screen/keys.hpp"

#include <algorithm>
#include <array>

namespace dptrace {

namespace {

struct Sequence {
  std::string_view bytes;  ///< after the escape
  KeyKind kind;
};
// These are the sequences that xterm, the Linux console, tmux and rxvt send.
constexpr std::array<Sequence, 16> kSequences = {{
    {"[A", KeyKind::kUp},
    {"OA", KeyKind::kUp},
    {"[B", KeyKind::kDown},
    {"OB", KeyKind::kDown},
    {"[5~", KeyKind::kPageUp},
    {"[6~", KeyKind::kPageDown},
    {"[H", KeyKind::kHome},
    {"OH", KeyKind::kHome},
    {"[1~", KeyKind::kHome},
    {"[7~", KeyKind::kHome},
    {"[F", KeyKind::kEnd},
    {"OF", KeyKind::kEnd},
    {"[4~", KeyKind::kEnd},
    {"[8~", KeyKind::kEnd},
    {"OM", KeyKind::kEnter},
    {"[3~", KeyKind::kBackspace},
}};

// A terminal sends no longer sequence than this.
constexpr std::size_t kMaxSequence = 32;

bool ends_sequence(char byte) { return byte >= '@' && byte <= '~'; }

// The number of bytes at the front of `text` that are one key; 0 when not all of them have come.
// `text` begins with an escape and one more byte.
std::size_t sequence_length(std::string_view text) {
  if (text[1] == 'O') return text.size() < 3 ? 0 : 3;
  if (text[1] != '[') return 1;  // the key escape, then another key
  for (std::size_t i = 2; i < std::min(text.size(), kMaxSequence); ++i) {
    if (ends_sequence(text[i])) return i + 1;
  }
  return text.size() < kMaxSequence ? 0 : kMaxSequence;
}

Key plain_key(char byte) {
  if (byte == '\r' || byte == '\n') return {KeyKind::kEnter};
  if (byte == '\x7f' || byte == '\b') return {KeyKind::kBackspace};
  if (byte == '\x1b') return {KeyKind::kEscape};
  if (byte >= ' ' && byte <= '~') return {KeyKind::kCharacter, byte};
  return {KeyKind::kOther};
}

Key sequence_key(std::string_view after_escape) {
  const auto* known =
      std::find_if(kSequences.begin(), kSequences.end(),
                   [&](const Sequence& sequence) { return sequence.bytes == after_escape; });
  return {known == kSequences.end() ? KeyKind::kOther : known->kind};
}

}  // namespace

std::vector<Key> KeyDecoder::feed(std::string_view bytes) {
  std::vector<Key> keys;
  pending_.append(bytes);
  std::string_view text = pending_;
  while (!text.empty()) {
    std::size_t length = 1;
    if (text[0] == '\x1b' && text.size() > 1) {
      length = sequence_length(text);
      if (length == 0) break;
    }
    keys.push_back(length == 1 ? plain_key(text[0]) : sequence_key(text.substr(1, length - 1)));
    text.remove_prefix(length);
  }
  pending_ = std::string(text);
  return keys;
}

}  // namespace dptrace
