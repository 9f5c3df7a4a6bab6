#include "cli/presenter.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "cli/exit_status.hpp"
#include "model/drop_stack.hpp"

namespace dptrace {

namespace {

std::unique_ptr<Output> make_output(const ShowOptions& options, std::vector<Address> pods,
                                    Sink& sink) {
  OutputOptions output;
  output.pods = std::move(pods);
  output.verbose = options.verbose;
  const char* no_colour = std::getenv("NO_COLOR");
  output.colour = isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
  return options.json ? make_json_output(sink, std::move(output))
                      : make_text_output(sink, std::move(output));
}

std::string drop_key(const Drop& drop, const Names& names) {
  if (!drop.reason) return names.function(drop.location);
  const auto found = names.reasons.find(*drop.reason);
  return found == names.reasons.end() ? std::to_string(*drop.reason) : found->second;
}

}  // namespace

bool StandardOutput::write(std::string_view text) {
  if (open_) open_ = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return open_;
}

bool StandardOutput::flush() {
  if (open_) open_ = std::fflush(stdout) == 0;
  return open_;
}

Presenter::Presenter(const ShowOptions& options, std::vector<Address> pods)
    : options_(options), output_(make_output(options, std::move(pods), sink_)) {}

bool Presenter::is_shown(const Packet& packet) const {
  return !options_.drops_only || packet.verdict == Verdict::kDropped;
}

void Presenter::packet(const Packet& packet, const Names& names) {
  if (is_done() || !is_shown(packet)) return;
  ++summary_.packets[static_cast<std::size_t>(packet.verdict)];
  if (packet.drop) ++summary_.drops[drop_key(*packet.drop, names)];
  open_ = output_->packet(packet, names);
}

void Presenter::finish(const Summary& figures, const Names& names) {
  summary_.events = figures.events;
  summary_.events_lost = figures.events_lost;
  summary_.forgotten = figures.forgotten;
  summary_.duration_ns = figures.duration_ns;
  if (open_) output_->summary(summary_, names);
  flush();
}

int Presenter::exit_status() const {
  const bool dropped = summary_.packets[static_cast<std::size_t>(Verdict::kDropped)] != 0;
  return options_.fail_on_drop && dropped ? kDropSeen : kSuccess;
}

}  // namespace dptrace
