#include "run/presenter.hpp"

#include "run/exit_status.hpp"

namespace dptrace {

namespace {

std::unique_ptr<Output> make_output(const ShowOptions& options, std::vector<Address> pods,
                                    Sink& sink) {
  OutputOptions output;
  output.pods = std::move(pods);
  output.verbose = options.verbose;
  output.colour = wants_colour();
  return options.json ? make_json_output(sink, std::move(output))
                      : make_text_output(sink, std::move(output));
}

}  // namespace

Presenter::Presenter(const ShowOptions& options, std::vector<Address> pods)
    : options_(options), output_(make_output(options, std::move(pods), sink_)) {}

bool Presenter::is_shown(const Packet& packet) const {
  return !options_.drops_only || lost_anything(packet);
}

void Presenter::packet(const Packet& packet, const Names& names) {
  if (is_done() || !is_shown(packet)) return;
  summary_.count(packet, names);
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

int Presenter::exit_status() {
  return sink_.end(options_.fail_on_drop && summary_.lost_anything() ? kDropSeen : kSuccess);
}

}  // namespace dptrace
