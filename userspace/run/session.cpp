#include "run/session.hpp"

#include <algorithm>

namespace dptrace {

std::uint64_t time_of(const Event& event) {
  return std::visit(
      [](const auto& value) -> std::uint64_t {
        if constexpr (requires { value.event; }) {
          return value.event.time_ns;
        } else {
          return value.hop.event.time_ns;
        }
      },
      event);
}

Session::Session(const ShowOptions& options, std::vector<Address> pods, const Names& names)
    : names_(names),
      timeline_(names, {.every_end = options.all}),
      presenter_(options, std::move(pods)),
      receiver_([this](Packet&& packet) { presenter_.packet(packet, names_); }) {}

void Session::take(const Event& event) {
  // A record of lost events comes before the events among which they were lost, and is counted
  // apart from events.
  if (!std::holds_alternative<dpt_lost>(event)) {
    ++events_;
    timeline_.advance(std::min(time_of(event), held_since_ns_), receiver_);
  }
  timeline_.add(event);
}

void Session::advance(std::uint64_t now_ns) {
  told_until_ns_ = std::min(now_ns, held_since_ns_);
  timeline_.advance(told_until_ns_, receiver_);
  presenter_.flush();
}

void Session::finish(Summary figures) {
  timeline_.finish(receiver_);
  figures.events = events_;
  figures.forgotten = timeline_.forgotten();
  presenter_.finish(figures, names_);
}

}  // namespace dptrace
