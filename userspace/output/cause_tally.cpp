#include "output/cause_tally.hpp"

#include <algorithm>
#include <set>
#include <span>

#include "words/cause_words.hpp"
#include "words/inference_words.hpp"

namespace dptrace {

namespace {

// Whoever loses packets in ever new ways gets no more room than this.
constexpr std::size_t kMostCauses = 1000;
constexpr std::size_t kShown = 5;
constexpr std::size_t kTextColumn = 12;
constexpr std::string_view kUnknown = "unknown";

}  // namespace

void CauseTally::count(const Packet& packet, const Names& names) {
  std::set<Key> counted;
  const std::span<const Drop> one(packet.drop ? &*packet.drop : nullptr, packet.drop ? 1 : 0);
  for (const Drop& drop : packet.drops.empty() ? one : std::span<const Drop>(packet.drops)) {
    auto explanation = explanation_of(packet, drop, names);
    if (!explanation || explanation->cause == kUnknown) continue;
    if (counted.insert({explanation->cause, explanation->sentence}).second)
      add(std::move(*explanation));
  }
  if (auto inference = inference_of(packet, names)) add(std::move(*inference));
}

void CauseTally::add(Explanation explanation) {
  Key key(std::move(explanation.cause), std::move(explanation.sentence));
  const auto found = causes_.find(key);
  if (found == causes_.end() && causes_.size() >= kMostCauses) {
    ++others_;
    return;
  }
  Entry& entry = found != causes_.end() ? found->second : causes_[std::move(key)];
  ++entry.packets;
  entry.fix = std::move(explanation.fix);
}

void CauseTally::append_to(Buffer& out, const Paint& paint) const {
  using Cause = decltype(causes_)::value_type;
  std::vector<const Cause*> worst;
  for (const Cause& cause : causes_) worst.push_back(&cause);
  std::ranges::stable_sort(worst, std::ranges::greater(),
                           [](const Cause* cause) { return cause->second.packets; });
  const std::size_t shown = std::min(worst.size(), kShown);
  if (shown != 0) {
    paint.text(out, Style::kHead, "why");
    out.push_back('\n');
  }
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [key, entry] = *worst[i];
    Buffer line;
    fmt::format_to(fmt::appender(line), "{:>10}  {}: ", entry.packets, key.first);
    append_name(line, key.second);
    append_wrapped(out, view(line), kTextColumn);
    out.push_back('\n');
    for (const std::string& command : entry.fix) {
      append_spaces(out, kTextColumn);
      paint.text(out, Style::kGood, "fix   ");
      append_name(out, command);
      out.push_back('\n');
    }
  }
  std::uint64_t left = others_;
  for (std::size_t i = shown; i < worst.size(); ++i) left += worst[i]->second.packets;
  if (left != 0) fmt::format_to(fmt::appender(out), "{:>10}  for other causes\n", left);
}

}  // namespace dptrace
