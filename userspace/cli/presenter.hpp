// From finished packets to standard output: what is shown, what is counted, and when it is enough.
#pragma once

#include <memory>

#include "cli/options.hpp"
#include "model/summary.hpp"
#include "output/output.hpp"

namespace dptrace {

/// Standard output. Buffered; a reader that went away is noticed, and is no error.
class StandardOutput final : public Sink {
 public:
  bool write(std::string_view text) override;
  /// False when nobody reads any more.
  bool flush();

 private:
  bool open_ = true;
};

class Presenter {
 public:
  Presenter(const ShowOptions& options, std::vector<Address> pods);

  void packet(const Packet& packet, const Names& names);
  /// Prints what is complete so far.
  void flush() { open_ = sink_.flush() && open_; }
  /// Prints the summary; `figures` gives what only the caller knows (events, losses, duration).
  void finish(const Summary& figures, const Names& names);

  /// As many packets as were asked for were shown, or nobody reads any more.
  bool is_done() const {
    return !open_ || (options_.count != 0 && summary_.total() >= options_.count);
  }
  const Summary& summary() const { return summary_; }
  int exit_status() const;

 private:
  bool is_shown(const Packet& packet) const;

  const ShowOptions options_;
  StandardOutput sink_;
  std::unique_ptr<Output> output_;
  Summary summary_;
  bool open_ = true;
};

}  // namespace dptrace
