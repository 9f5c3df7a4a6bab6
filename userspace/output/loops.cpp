#include "output/loops.hpp"

#include <algorithm>

#include "words/hop_words.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kMaxRound = 32;  // lines of a round; a loop of four nodes has about as many
constexpr std::size_t kMinRepeats = 2;

bool same_words(const Hop& a, const Hop& b) {
  return a.point == b.point && a.interface == b.interface && a.new_flow == b.new_flow &&
         a.netfilter == b.netfilter && same_tunnel(a.tunnel, b.tunnel);
}

bool same_line(std::span<const Hop> hops, const HopLine& a, const HopLine& b) {
  return std::ranges::equal(hops.subspan(a.first, a.count), hops.subspan(b.first, b.count),
                            same_words);
}

std::uint8_t ttl_of(std::span<const Hop> hops, const HopLine& line) {
  return hops[line.first].flow.ttl;
}

/// True when `round` repeats the round before it.
bool is_repeat(std::span<const Hop> hops, std::span<const HopLine> before,
               std::span<const HopLine> round) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (ttl_of(hops, round[i]) >= ttl_of(hops, before[i])) return false;
    if (!same_line(hops, before[i], round[i])) return false;
  }
  return true;
}

}  // namespace

std::optional<Loop> loop_at(std::span<const Hop> hops, std::span<const HopLine> lines) {
  for (std::size_t size = 1; size <= kMaxRound && size * (kMinRepeats + 1) <= lines.size();
       ++size) {
    std::size_t repeats = 0;
    for (std::size_t at = size; at + size <= lines.size(); at += size) {
      if (!is_repeat(hops, lines.subspan(at - size, size), lines.subspan(at, size))) break;
      ++repeats;
    }
    if (repeats < kMinRepeats) continue;
    const auto& last = lines[size * (repeats + 1) - 1];
    const auto all =
        hops.subspan(lines.front().first, last.first + last.count - lines.front().first);
    return Loop{size, repeats, ttl_of(hops, lines.front()), ttl_of(hops, last),
                std::ranges::any_of(all, &Hop::new_flow)};
  }
  return std::nullopt;
}

}  // namespace dptrace
