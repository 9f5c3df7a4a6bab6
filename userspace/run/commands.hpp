// A command is what the command line asks for, as a value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "capture/settings.hpp"
#include "metrics/listen_address.hpp"

namespace dptrace {

/// The options that `trace` and `show` share: which packets are printed, and how.
struct ShowOptions {
  bool json = false;
  bool drops_only = false;
  bool fail_on_drop = false;
  bool all = false;
  bool verbose = false;
  std::uint64_t count = 0;  ///< stop after so many shown packets; 0: no end
};

struct TraceCommand {
  CaptureSettings capture;
  ShowOptions show;
  bool armed = false;                      ///< keep all probes attached
  bool explain = true;                     ///< ask the node why packets died
  std::optional<std::uint64_t> busy_rate;  ///< CaptureSettings::busy_rate; nothing: its default
  std::optional<std::chrono::nanoseconds> duration;
  std::string write_file;
  std::string ready_file;
};

struct DropsCommand {
  CaptureSettings capture;  ///< `interfaces` are patterns of the devices whose drops are shown
  std::chrono::nanoseconds interval{std::chrono::seconds(1)};
  std::optional<std::chrono::nanoseconds> duration;
  bool once = false;
  bool json = false;
  bool all = false;
  bool verbose = false;
  bool fail_on_drop = false;
  bool explain = true;  ///< ask the node why packets died
  std::string ready_file;
  std::optional<ListenAddress> metrics;  ///< address on which metrics are served
  std::string metrics_config;            ///< file with TLS and passwords for `metrics`
};

struct ShowCommand {
  ShowOptions show;
  std::string file;
};

/// Prints the page of a cause of loss, or the list of the causes.
struct ExplainCommand {
  std::string cause;
  bool list = false;
};

struct CheckCommand {
  bool json = false;
  bool clean = false;
};

/// Prints the completion script of a shell.
struct CompletionCommand {
  std::string shell;
};

using Command = std::variant<TraceCommand, DropsCommand, ShowCommand, ExplainCommand, CheckCommand,
                             CompletionCommand>;

}  // namespace dptrace
