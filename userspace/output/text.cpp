#include <algorithm>
#include <span>

#include "output/flow_words.hpp"
#include "output/hop_words.hpp"
#include "output/output.hpp"
#include "output/style.hpp"
#include "output/summary_words.hpp"
#include "output/time_text.hpp"
#include "output/verdict_words.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kTimeWidth = 16;  // `05:26:00.123456 `
constexpr std::size_t kDirectionWidth = 4;
constexpr std::size_t kPlaceColumn = 16;  // after `  1234567.8 µs  `
constexpr std::size_t kMinPlace = 16;
constexpr std::size_t kMaxPlace = 44;
constexpr std::size_t kEndIndent = 4;  // where a last line goes on, the least of all

bool is_one_of(const dpt_address& address, const std::vector<Address>& addresses) {
  return std::find(addresses.begin(), addresses.end(), Address(address)) != addresses.end();
}

/// Text for people: one block of lines per packet.
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
  void append_hop(const Packet& packet, std::size_t first, std::size_t count, const Names& names);
  void append_end(const Packet& packet, const Names& names);
  void append_tunnel_words(const Hop& hop, const Hop* before);
  void append_verbose(const Hop& hop, const Hop* before, const Names& names);
  std::size_t event_column() const { return kPlaceColumn + place_width_ + 2; }
  void start_block();
  bool flush() { return sink_.write(view(out_)); }

  /// Puts `piece_` behind the line, or on a line of its own when it has no room there.
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
  std::size_t place_width_ = 0;
  std::size_t line_start_ = 0;
  FlowWords flow_;
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
    // What is too wide for the column begins further to the left: two IPv6 addresses.
    const std::size_t width = std::min(columns(piece), kColumns - kEndIndent);
    append_spaces(out_, std::min(indent, kColumns - width));
    append(out_, piece);
  } else {
    append(out_, view(piece_));
  }
  piece_.clear();
}

/// Breaks a list of netfilter hooks behind a comma.
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

/// Judged by the first tuple that has a pod at one end: DNAT may bring the pod in later.
std::string_view TextOutput::direction(const Packet& packet) const {
  for (const Hop& hop : packet.hops) {
    if (&hop != &packet.hops.front() && !hop.new_flow) continue;
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
  write_flow(flow_, packet.flow(), names);
  const std::string_view words = view(flow_.text);
  append(out_, words.substr(0, flow_.destination));
  append(piece_, words.substr(flow_.destination, flow_.details - flow_.destination));
  place_piece(indent);
  append(piece_, words.substr(flow_.details));
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

/// The function, and whatever of CPU, skb and length is not as at the hop before.
void TextOutput::append_verbose(const Hop& hop, const Hop* before, const Names& names) {
  if (hop.function != 0) {
    append(piece_, ", ");
    append(piece_, names.location(hop.function));
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

/// `count` hops from `first` on are one line.
void TextOutput::append_hop(const Packet& packet, std::size_t first, std::size_t count,
                            const Names& names) {
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
  // A name that is too wide leaves the events' column to the next line.
  append_spaces(out_, columns(name) > place_width_ ? 2 : place_width_ - columns(name) + 2);
  event_.clear();
  append_event(event_, hops, names, paint_);
  place_event(event_);
  const Hop* before = first == 0 ? nullptr : &packet.hops[first - 1];
  append_tunnel_words(hop, before);
  if (hop.new_flow) {
    append(piece_, ", ");
    paint_.begin(piece_, Style::kNote);
    append(piece_, "now ");
    append_new_tuple(piece_, hop.flow, before == nullptr ? nullptr : &before->flow, names);
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
  for (const Hop& hop : packet.hops) {
    const std::size_t start = places_.size();
    append_interface(places_, hop.interface, names);
    place_ends_.push_back(places_.size());
    place_width_ = std::max(place_width_, columns(view(places_).substr(start)));
  }
  place_width_ = std::min(place_width_, kMaxPlace);
  for (std::size_t i = 0; i < packet.hops.size();) {
    const std::span<const Hop> rest = std::span(packet.hops).subspan(i);
    // The drop is told by the block's last line.
    if (i > 0 && rest.size() == 1 && packet.drop && rest[0].point == DPT_POINT_DROP) break;
    const std::size_t count = options_.verbose ? 1 : hops_in_line(rest);
    append_hop(packet, i, count, names);
    i += count;
  }
}

void TextOutput::append_end(const Packet& packet, const Names& names) {
  event_.clear();
  append_verdict(event_, packet, names, paint_, options_.verbose);
  for (std::string_view rest = view(event_); !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1);
    append_wrapped(out_, rest.substr(0, end), kEndIndent);
    out_.push_back('\n');
    rest.remove_prefix(end + 1);
  }
}

bool TextOutput::packet(const Packet& packet, const Names& names) {
  start_block();
  append_head(packet, names);
  append_hops(packet, names);
  append_end(packet, names);
  return flush();
}

bool TextOutput::summary(const Summary& summary, const Names& names) {
  start_block();
  append_summary(out_, summary, paint_);
  static_cast<void>(names);
  return flush();
}

}  // namespace

std::unique_ptr<Output> make_text_output(Sink& sink, OutputOptions options) {
  return std::make_unique<TextOutput>(sink, std::move(options));
}

}  // namespace dptrace
