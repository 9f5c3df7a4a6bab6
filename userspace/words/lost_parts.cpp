#include "words/lost_parts.hpp"

#include <netinet/in.h>

#include <algorithm>

#include "model/flow.hpp"
#include "words/protocol_words.hpp"

namespace dptrace {

namespace {

bool is_same(const Drop& a, const Drop& b) {
  return a.time_ns == b.time_ns && a.location == b.location && a.interface == b.interface &&
         a.part == b.part && a.copy == b.copy;
}

bool have_one_place(const Drop& a, const Drop& b) {
  return a.location == b.location && a.reason == b.reason && a.interface == b.interface &&
         a.copy == b.copy && a.loss == b.loss && a.part.has_value() == b.part.has_value();
}

void add(std::vector<LossGroup>& groups, const Drop& drop) {
  const auto group = std::find_if(groups.begin(), groups.end(), [&](const LossGroup& other) {
    return have_one_place(other.first(), drop);
  });
  if (group != groups.end()) {
    group->drops.push_back(&drop);
  } else {
    groups.push_back({{&drop}, false});
  }
}

std::string_view part_word(Part::Kind kind, std::size_t count) {
  if (kind == Part::Kind::kSegment) return count == 1 ? "segment" : "segments";
  return count == 1 ? "fragment" : "fragments";
}

/// Only TCP segments have sequence numbers: those of UDP, as QUIC sends several in one call, have
/// only their place.
bool has_sequence(const Part& part, const Packet& packet) {
  return part.kind == Part::Kind::kSegment && packet.flow().protocol == IPPROTO_TCP;
}

void append_range(Buffer& out, const Part& part, const Packet& packet) {
  append(out, has_sequence(part, packet) ? "seq " : "bytes ");
  if (part.length == 0) {
    fmt::format_to(fmt::appender(out), "{}", part.offset);
  } else {
    // Sequence numbers wrap to 0.
    fmt::format_to(fmt::appender(out), "{}–{}", part.offset,
                   static_cast<std::uint32_t>(part.offset + part.length - 1));
  }
}

/// The parts in the order of their place in the packet, each of them once.
std::vector<Part> parts_of(const LossGroup& group, const Packet& packet) {
  std::vector<Part> parts;
  for (const Drop* drop : group.drops) parts.push_back(*drop->part);
  const auto place = [&](const Part& part) {
    const std::uint32_t base = has_sequence(part, packet) ? packet.flow().sequence : 0;
    return static_cast<std::uint32_t>(part.offset - base);
  };
  std::sort(parts.begin(), parts.end(),
            [&](const Part& a, const Part& b) { return place(a) < place(b); });
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return parts;
}

}  // namespace

std::vector<LossGroup> loss_groups(const Packet& packet) {
  std::vector<LossGroup> groups;
  if (packet.drop) groups.push_back({{&*packet.drop}, true});
  for (const Drop& drop : packet.drops) {
    if (!packet.drop || !is_same(drop, *packet.drop)) add(groups, drop);
  }
  return groups;
}

void append_lost_parts(Buffer& out, const LossGroup& group, const Packet& packet) {
  if (!group.first().part) return;
  const std::vector<Part> parts = parts_of(group, packet);
  Part range = parts.front();
  std::size_t together = 1;
  while (together < parts.size() &&
         parts[together].offset == static_cast<std::uint32_t>(range.offset + range.length)) {
    range.length += parts[together++].length;
  }
  fmt::format_to(fmt::appender(out), ", {} ", parts.size());
  std::size_t of = parts.size();
  if (packet.segments > 1 && packet.segments >= parts.size() &&
      packet.part_kind.value_or(range.kind) == range.kind) {
    of = packet.segments;
    fmt::format_to(fmt::appender(out), "of {} ", of);
  }
  append(out, part_word(range.kind, of));
  append(out, " (");
  append_range(out, range, packet);
  if (together < parts.size()) append(out, " and others");
  out.push_back(')');
}

}  // namespace dptrace
