// Presenter prints finished packets on standard output. It decides what is shown, what is counted,
// and when it is enough.
#pragma once

#include <memory>

#include "model/summary.hpp"
#include "output/output.hpp"
#include "run/commands.hpp"
#include "run/standard_output.hpp"

namespace dptrace {

class Presenter {
 public:
  Presenter(const ShowOptions& options, std::vector<Address> pods);

  void packet(const Packet& packet, const Names& names);
  /// Prints what is complete so far.
  void flush() { open_ = sink_.flush() && open_; }
  /// Prints the summary; `figures` gives what only the caller knows (events, losses, duration).
  void finish(const Summary& figures, const Names& names);

  /// True when as many packets were shown as were asked for, or when nobody reads any more.
  bool is_done() const {
    return !open_ || (options_.count != 0 && summary_.total() >= options_.count);
  }
  const Summary& summary() const { return summary_; }
  /// The exit status, after finish(). Says on standard error why results were not written, if they
  /// were not.
  int exit_status();

 private:
  bool is_shown(const Packet& packet) const;

  const ShowOptions options_;
  StandardOutput sink_;
  std::unique_ptr<Output> output_;
  Summary summary_;
  bool open_ = true;
};

}  // namespace dptrace
