#include "words/verdict_words.hpp"

#include <algorithm>

#include "words/hop_words.hpp"
#include "words/inference_words.hpp"
#include "words/loss_words.hpp"
#include "words/taken_words.hpp"
#include "words/time_text.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kIndent = "  ";

void append_unfinished(Buffer& out, const Packet& packet, const Names& names, const Paint& paint) {
  const Hop& last = packet.hops.back();
  if (packet.nobody_wanted) {
    append(out, "wanted by nobody who got it: a multicast or broadcast, no loss, after ");
    append_duration(out, packet.duration_ns());
    return;
  }
  paint.text(out, Style::kWarn, "unfinished");
  if (packet.unanswered) {
    append(out, ": its listener has not answered");
    append_place(out, "at", last.interface, names, view_of(packet, last.time_ns, names));
    append(out, ", after ");
    append_duration(out, packet.duration_ns());
    return;
  }
  append(out, ": last seen");
  append_place(out, "at", last.interface, names, view_of(packet, last.time_ns, names));
  append(out, ", ");
  append_event(out, {&last, 1}, names, paint);
  append(out, ", after ");
  append_duration(out, packet.duration_ns());
}

/// The device by which the packet left. When it went to many, the last hop may be another copy's.
InterfaceId left_by(const Packet& packet) {
  const auto copy =
      std::find_if(packet.copies.begin(), packet.copies.end(),
                   [](const Copy& candidate) { return candidate.verdict == Verdict::kLeftNode; });
  return copy == packet.copies.end() ? packet.hops.back().interface : copy->interface;
}

/// ` (1 of 2 copies)`: the number of copies that ended as the packet did.
void append_copies(Buffer& out, const Packet& packet) {
  if (packet.copies.empty()) return;
  const auto alike =
      std::count_if(packet.copies.begin(), packet.copies.end(),
                    [&](const Copy& copy) { return copy.verdict == packet.verdict; });
  fmt::format_to(fmt::appender(out), " ({} of {} copies)", alike, packet.copies.size());
}

/// `, in 3 fragments`.
void append_parts(Buffer& out, const Packet& packet) {
  if (packet.segments < 2 || (packet.drop && packet.drop->part)) return;
  std::string_view word = "parts";
  if (packet.part_kind) word = *packet.part_kind == Part::Kind::kSegment ? "segments" : "fragments";
  fmt::format_to(fmt::appender(out), ", in {} {}", packet.segments, word);
}

void append_left_out(Buffer& out, const Packet& packet, const Paint& paint) {
  if (packet.left_out == 0) return;
  append(out, kIndent);
  paint.text(out, Style::kWarn, "left out:");
  fmt::format_to(fmt::appender(out), " {} more {} of this packet than are kept of one\n",
                 packet.left_out, packet.left_out == 1 ? "event" : "events");
}

void append_incomplete(Buffer& out, const Packet& packet, const Paint& paint) {
  if (packet.incomplete == Incomplete::kNo) return;
  append(out, kIndent);
  paint.text(out, Style::kWarn, "hops may be missing:");
  append(out, packet.incomplete == Incomplete::kEventsLost
                  ? " events were lost while it was under way\n"
                  : " not every probe was attached yet when it passed\n");
}

void append_end(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                bool verbose) {
  switch (packet.verdict) {
    case Verdict::kDelivered:
      paint.text(out, Style::kGood, "delivered");
      append(out, packet.reader_closed ? ", closed by its reader, in " : " in ");
      append_duration(out, packet.duration_ns());
      return;
    case Verdict::kLeftNode:
      paint.text(out, Style::kGood, "left the node");
      append_place(out, "by", left_by(packet), names, view_of(packet, packet.end_ns(), names));
      append(out, " after ");
      append_duration(out, packet.duration_ns());
      return;
    case Verdict::kDropped:
      if (packet.drop) {
        append_drop(out, packet, names, paint);
        append(out, ", after ");
        // The time of the drop counts here, because other parts of the packet may have gone on
        // after it.
        append_duration(out, std::max(packet.drop->time_ns, packet.start_ns()) - packet.start_ns());
        return;
      }
      paint.text(out, Style::kBad, "DROPPED");
      append_place(out, "at", packet.hops.back().interface, names,
                   view_of(packet, packet.hops.back().time_ns, names));
      return;
    case Verdict::kStolen:
      append_stolen(out, packet, names, paint, verbose);
      append(out, " after ");
      append_duration(out, packet.duration_ns());
      return;
    case Verdict::kUnfinished:
      return append_unfinished(out, packet, names, paint);
  }
}

}  // namespace

void append_reason(Buffer& out, std::uint32_t reason, const Names& names) {
  const auto name = names.reasons.find(reason);
  if (name == names.reasons.end()) {
    fmt::format_to(fmt::appender(out), "reason {:#x}", reason);
  } else {
    append_name(out, name->second);
  }
}

void append_verdict(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                    bool verbose) {
  append(out, kIndent);
  append_end(out, packet, names, paint, verbose);
  append_copies(out, packet);
  append_parts(out, packet);
  out.push_back('\n');
  if (packet.drop && packet.verdict != Verdict::kDropped) {
    append(out, kIndent);
    append_drop(out, packet, names, paint);
    out.push_back('\n');
  }
  if (packet.drop) append_drop_details(out, packet, *packet.drop, names, paint, verbose);
  append_other_losses(out, packet, names, paint, verbose);
  append_inference(out, packet, names, paint);
  append_left_out(out, packet, paint);
  append_incomplete(out, packet, paint);
}

}  // namespace dptrace
