#include <algorithm>
#include <span>

#include "output/cause_tally.hpp"
#include "output/loops.hpp"
#include "output/output.hpp"
#include "output/ways.hpp"
#include "words/cause_words.hpp"
#include "words/flow_words.hpp"
#include "words/hop_words.hpp"
#include "words/loss_words.hpp"
#include "words/style.hpp"
#include "words/summary_words.hpp"
#include "words/time_text.hpp"
#include "words/verdict_words.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kTimeWidth = 16;  // `05:26:00.123456 `
constexpr std::size_t kDirectionWidth = 4;
constexpr std::size_t kPlaceColumn = 16;  // behind `  1234567.8 µs  `
constexpr std::size_t kMinPlace = 16;
constexpr std::size_t kMaxPlace = 50;
constexpr std::size_t kEndIndent = 4;  // indent at which a last line goes on, the least of all

bool is_one_of(const dpt_address& address, const std::vector<Address>& addresses) {
  return std::find(addresses.begin(), addresses.end(), Address(address)) != addresses.end();
}

/// TextOutput writes text for people: one block of lines for each packet.
class TextOutput : public Output {
 public:
  TextOutput(Sink& sink, OutputOptions options)
      : sink_(sink), options_(std::move(options)), paint_(options_.colour) {}

  bool packet(const Packet& packet, const Names& names) override;
  bool summary(const Summary& summary, const Names& names) override;

 private:
  void append_head(const Packet& packet, const Names& names);
  std::string_view direction(const Packet& packet) const;
  void append_hops(const Packet& packet, const Names& names);
  void find_lines(const Packet& packet);
  void append_hop(const Packet& packet, const HopLine& line, const Names& names);
  void append_loop(const Packet& packet, const Loop& loop);
  void append_same_way(const Packet& packet, std::uint64_t before_ns, const Names& names);
  void append_end(const Packet& packet, const Names& names);
  void append_tunnel_words(const Hop& hop, const Hop* before);
  void append_verbose(const Hop& hop, const Hop* before, const Names& names);
  std::size_t event_column() const { return kPlaceColumn + place_width_ + 2; }
  void start_block();
  bool flush() { return sink_.write(view(out_)); }

  /// Puts `piece_` at the end of the line, or on a line of its own when it has no room there.
  void place_piece(std::size_t indent);
  void place_event(const Buffer& words);

  Sink& sink_;
  OutputOptions options_;
  Paint paint_;
  TimeText clock_{TimeText::Form::kLocalTime};
  bool first_ = true;
  Buffer out_;
  Buffer piece_;
  Buffer event_;
  Buffer places_;
  std::vector<std::size_t> place_ends_;
  std::vector<HopLine> lines_;
  std::size_t place_width_ = 0;
  std::size_t line_start_ = 0;
  FlowWords flow_;
  Ways ways_;
  CauseTally causes_;
};

void TextOutput::start_block() {
  out_.clear();
  if (!first_) out_.push_back('\n');
  first_ = false;
}

void TextOutput::place_piece(std::size_t indent) {
  const std::size_t used = columns(view(out_).substr(line_start_));
  if (used + columns(view(piece_)) > kColumns && used > indent) {
    while (out_[out_.size() - 1] == ' ') out_.resize(out_.size() - 1);
    out_.push_back('\n');
    line_start_ = out_.size();
    std::string_view piece = view(piece_);
    while (piece.starts_with(' ') || piece.starts_with(',')) piece.remove_prefix(1);
    // A piece that is too wide for its column (two IPv6 addresses) begins further to the left.
    const std::size_t width = std::min(columns(piece), kColumns - kEndIndent);
    append_spaces(out_, std::min(indent, kColumns - width));
    append(out_, piece);
  } else {
    append(out_, view(piece_));
  }
  piece_.clear();
}

/// Writes an event; breaks a list of netfilter hooks behind a comma.
void TextOutput::place_event(const Buffer& words) {
  std::string_view rest = view(words);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(", ");
    const std::size_t end = comma == rest.npos ? rest.size() : comma + 1;
    append(piece_, rest.substr(0, end));
    place_piece(event_column());
    rest.remove_prefix(end);
  }
}

/// The first tuple that has a pod at one end gives the direction, because DNAT may bring the pod in
/// later.
std::string_view TextOutput::direction(const Packet& packet) const {
  const Hop* before = nullptr;
  for (const Hop& hop : packet.hops) {
    if (before != nullptr && before->flow.family != 0 && !hop.new_flow) continue;
    before = &hop;
    const bool from = is_one_of(hop.flow.source, options_.pods);
    const bool to = is_one_of(hop.flow.destination, options_.pods);
    if (from != to) return from ? "out " : "in  ";
    if (from) break;
  }
  return options_.pods.empty() ? "" : "    ";
}

void TextOutput::append_head(const Packet& packet, const Names& names) {
  line_start_ = out_.size();
  paint_.begin(out_, Style::kHead);
  clock_.append_to(out_, static_cast<std::int64_t>(packet.start_ns()) + names.wall_clock_offset_ns);
  out_.push_back(' ');
  const std::size_t indent = kTimeWidth + (options_.pods.empty() ? 0 : kDirectionWidth);
  append(out_, direction(packet));
  write_flow(flow_, packet.flow(), names, packet.start_ns());
  const std::string_view words = view(flow_.text);
  append(out_, words.substr(0, flow_.destination));
  append(piece_, words.substr(flow_.destination, flow_.details - flow_.destination));
  place_piece(indent);
  append(piece_, words.substr(flow_.details));
  if (packet.retransmission) append(piece_, ", retransmission");
  place_piece(indent);
  paint_.end(out_);
  if (options_.verbose) {
    fmt::format_to(fmt::appender(piece_), " [packet {:x}]", packet.id);
    place_piece(indent);
  }
  out_.push_back('\n');
}

void TextOutput::append_tunnel_words(const Hop& hop, const Hop* before) {
  if (!hop.tunnel) return;
  if (before != nullptr && same_tunnel(hop.tunnel, before->tunnel)) {
    append(out_, ", in ");
    append(out_, tunnel_word(hop.tunnel->kind));
    return;
  }
  append(piece_, ", ");
  append_tunnel(piece_, *hop.tunnel);
  if (options_.verbose && hop.tunnel->port != 0) {
    fmt::format_to(fmt::appender(piece_), " port {}", hop.tunnel->port);
  }
  place_piece(event_column());
}

/// Appends the function, and those of CPU, skb and length that differ from the hop before.
void TextOutput::append_verbose(const Hop& hop, const Hop* before, const Names& names) {
  if (hop.function != 0) {
    append(piece_, ", ");
    append_name(piece_, names.location(hop.function));
  }
  if (before == nullptr || before->cpu != hop.cpu) {
    fmt::format_to(fmt::appender(piece_), ", cpu {}", hop.cpu);
  }
  if (before == nullptr || before->skb != hop.skb) {
    fmt::format_to(fmt::appender(piece_), ", skb {:016x}", hop.skb);
  }
  if (before == nullptr || before->length != hop.length) {
    fmt::format_to(fmt::appender(piece_), ", {} bytes", hop.length);
  }
  if (piece_.size() > 0) place_piece(event_column());
}

void TextOutput::append_hop(const Packet& packet, const HopLine& line, const Names& names) {
  const auto [first, count] = line;
  const std::span<const Hop> hops = std::span(packet.hops).subspan(first, count);
  const Hop& hop = packet.hops[first];
  line_start_ = out_.size();
  paint_.begin(out_, Style::kDim);
  fmt::format_to(fmt::appender(out_), "{:>11.1f} µs  ",
                 static_cast<double>(hop.time_ns - packet.start_ns()) / 1e3);
  paint_.end(out_);
  const std::size_t place = first == 0 ? 0 : place_ends_[first - 1];
  const std::string_view name = view(places_).substr(place, place_ends_[first] - place);
  append(out_, name);
  // When a name is too wide, its event begins outside the events' column, and only the next line is
  // in it again.
  append_spaces(out_, columns(name) > place_width_ ? 2 : place_width_ - columns(name) + 2);
  event_.clear();
  append_event(event_, hops, names, paint_);
  place_event(event_);
  const Hop* before = first == 0 ? nullptr : &packet.hops[first - 1];
  append_tunnel_words(hop, before);
  if (is_translated(hop, before)) {
    append(piece_, ", ");
    paint_.begin(piece_, Style::kNote);
    append(piece_, "now ");
    append_new_tuple(piece_, hop.flow, &before->flow, names, hop.time_ns);
    paint_.end(piece_);
    place_piece(event_column());
  }
  if (options_.verbose) append_verbose(hop, before, names);
  out_.push_back('\n');
}

void TextOutput::append_hops(const Packet& packet, const Names& names) {
  places_.clear();
  place_ends_.clear();
  place_width_ = kMinPlace;
  View place = view_of(packet, packet.start_ns(), names);
  for (const Hop& hop : packet.hops) {
    const std::size_t start = places_.size();
    place.at_ns = hop.time_ns;
    append_interface(places_, hop.interface, names, place);
    place_ends_.push_back(places_.size());
    place_width_ = std::max(place_width_, columns(view(places_).substr(start)));
  }
  place_width_ = std::min(place_width_, kMaxPlace);
  find_lines(packet);
  for (std::size_t i = 0; i < lines_.size();) {
    const auto rest = std::span<const HopLine>(lines_).subspan(i);
    const auto loop = options_.verbose ? std::nullopt : loop_at(packet.hops, rest);
    const std::size_t told = loop ? loop->lines : 1;
    for (const HopLine& line : rest.first(told)) append_hop(packet, line, names);
    if (loop) append_loop(packet, *loop);
    i += told * (1 + (loop ? loop->repeats : 0));
  }
}

void TextOutput::find_lines(const Packet& packet) {
  lines_.clear();
  for (std::size_t i = 0; i < packet.hops.size();) {
    // The last lines of the block tell the loss.
    if (i > 0 && is_told_as_loss(packet, packet.hops[i])) {
      ++i;
      continue;
    }
    const auto rest = std::span<const Hop>(packet.hops).subspan(i);
    lines_.push_back({i, options_.verbose ? 1 : hops_in_line(rest)});
    i += lines_.back().count;
  }
}

void TextOutput::append_loop(const Packet& packet, const Loop& loop) {
  append_spaces(out_, kPlaceColumn);
  paint_.text(out_, Style::kWarn, "loop:");
  fmt::format_to(fmt::appender(out_), " {} {} times more, {} {} → {}{}\n",
                 loop.lines == 1 ? "this line" : fmt::format("these {} lines", loop.lines),
                 loop.repeats, packet.flow().family == 6 ? "hop limit" : "TTL", loop.first_ttl,
                 loop.last_ttl, loop.translated ? ", with NAT in each round" : "");
}

void TextOutput::append_same_way(const Packet& packet, std::uint64_t before_ns,
                                 const Names& names) {
  append(out_, "  same way as the packet at ");
  clock_.append_to(out_, static_cast<std::int64_t>(before_ns) + names.wall_clock_offset_ns);
  fmt::format_to(fmt::appender(out_), ", {} {}\n", packet.hops.size(),
                 packet.hops.size() == 1 ? "hop" : "hops");
}

void TextOutput::append_end(const Packet& packet, const Names& names) {
  event_.clear();
  append_verdict(event_, packet, names, paint_, options_.verbose);
  for (std::string_view rest = view(event_); !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1);
    const std::string_view line = rest.substr(0, end);
    if (is_command_line(line)) {
      append(out_, line);
    } else {
      const std::size_t own = std::min(line.find_first_not_of(' '), line.size());
      append_wrapped(out_, line, std::max(kEndIndent, own));
    }
    out_.push_back('\n');
    rest.remove_prefix(end + 1);
  }
}

bool TextOutput::packet(const Packet& packet, const Names& names) {
  start_block();
  append_head(packet, names);
  const auto before = options_.verbose ? std::nullopt : ways_.same_before(packet);
  if (before) {
    append_same_way(packet, *before, names);
  } else {
    append_hops(packet, names);
  }
  append_end(packet, names);
  causes_.count(packet, names);
  return flush();
}

bool TextOutput::summary(const Summary& summary, const Names& names) {
  start_block();
  append_summary(out_, summary, paint_);
  causes_.append_to(out_, paint_);
  static_cast<void>(names);
  return flush();
}

}  // namespace

std::unique_ptr<Output> make_text_output(Sink& sink, OutputOptions options) {
  return std::make_unique<TextOutput>(sink, std::move(options));
}

}  // namespace dptrace
