#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <filesystem>
#include <sstream>

#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "cli/option_list.hpp"
#include "cli/values.hpp"
#include "cli/version.hpp"
#include "dptrace/config.h"
#include "model/flow.hpp"
#include "os/outlet.hpp"
#include "run/exit_status.hpp"
#include "run/standard_output.hpp"

namespace dptrace {

namespace {

constexpr auto kExamples = R"(Examples:
  sudo dptrace --pod-ip 10.244.19.28                 every packet of a pod, hop by hop
  sudo dptrace --pod-ip 10.244.19.28 --drops-only    only those that died
  sudo dptrace --pod-ip 10.244.19.28 --port 53 --protocol udp
  sudo dptrace --pod-ip 10.244.19.28 -o json -c 1 --ready-file /run/ready
  sudo dptrace --pod-ip 10.244.19.28 -w trace.dpt && dptrace show trace.dpt
  sudo dptrace drops                                 what the node loses, by kind
  dptrace explain reverse-path-filter                a cause of loss, and what mends it
  sudo dptrace check                                 what this kernel and user allow

Exit status: 0 done, 1 failed, 2 wrong command line, 3 a drop was seen (--fail-on-drop).)";

constexpr auto kDropsExamples = R"(Examples:
  sudo dptrace drops                                 every drop on the node, by kind
  sudo dptrace drops --once --interval 10s           one table of ten seconds
  sudo dptrace drops --pod-ip 10.244.19.28 --all     also normal frees (not losses)
  sudo dptrace drops --interface 'veth*' --protocol tcp
  sudo dptrace drops --once -v                       with a packet of each kind, and its stack
  sudo dptrace drops --metrics 127.0.0.1:9435        also as Prometheus reads it
  sudo dptrace drops --pod-ip 10.244.19.28 --duration 5m --fail-on-drop -o json > drops.json

Exit status: 0 done, 1 failed, 2 wrong command line, 3 a packet was lost (--fail-on-drop).)";

constexpr auto kExplainExamples = R"(Examples:
  dptrace explain --list                             the causes, a line each
  dptrace explain forwarding-disabled                what proves this cause, and what mends it
  dptrace explain mtu-exceeded | less

It needs neither root nor BPF. Exit status: 0 printed, 1 failed, 2 there is no such cause.)";

template <typename Value, typename Parse>
CLI::Validator checked(Parse parse, std::string accepted) {
  return CLI::Validator(
      [parse, accepted](std::string& text) {
        return parse(text) ? std::string() : fmt::format("'{}' is not {}", text, accepted);
      },
      "");
}

CLI::Validator one_of(std::string first, std::string second) {
  return CLI::Validator(
      [first, second](std::string& text) {
        return text == first || text == second
                   ? std::string()
                   : fmt::format("'{}' is neither {} nor {}", text, first, second);
      },
      "");
}

CLI::Validator number_up_to(std::uint64_t most) {
  return CLI::Validator(
      [most](std::string& text) {
        const auto number = parse_count(text);
        return number && *number >= 1 && *number <= most
                   ? std::string()
                   : fmt::format("'{}' is not a number from 1 to {}", text, most);
      },
      "");
}

void add_address_option(CLI::App& app, const std::string& name, std::vector<Address>& into,
                        const std::string& help) {
  app.add_option_function<std::vector<std::string>>(
         name,
         [&into, name](const std::vector<std::string>& texts) {
           for (const auto& text : texts) into.push_back(Address::parse(text).value());
           if (into.size() > DPT_MAX_ADDRESSES) {
             throw CLI::ValidationError(
                 name, fmt::format("at most {} addresses are accepted", DPT_MAX_ADDRESSES + 0));
           }
         },
         help)
      ->type_name("IP")
      ->allow_extra_args(false)
      ->check(checked<Address>(Address::parse, "an IPv4 or IPv6 address (10.244.1.3, fd00::3)"));
}

CLI::Option* add_format_option(CLI::App& app, bool& json) {
  return app
      .add_option_function<std::string>(
          "-o,--output", [&json](const std::string& format) { json = format == "json"; },
          "text is for people, json is JSON Lines")
      ->type_name("text|json")
      ->check(one_of("text", "json"));
}

template <typename Time>
CLI::Option* add_time_option(CLI::App& app, const std::string& name, Time& into,
                             const std::string& help) {
  return app
      .add_option_function<std::string>(
          name, [&into](const std::string& text) { into = parse_duration(text).value(); }, help)
      ->type_name("TIME")
      ->check(
          checked<std::chrono::nanoseconds>(parse_duration, "a time such as 500ms, 10s, 2m or 1h"));
}

void add_show_options(CLI::App& app, ShowOptions& show) {
  const std::string group = "Output";
  add_format_option(app, show.json)->group(group);
  app.add_flag("--drops-only", show.drops_only, "Show only packets that were dropped")
      ->group(group);
  app.add_flag("--all", show.all, "Also show normal frees (not losses)")->group(group);
  app.add_option("-c,--count", show.count, "Stop after N packets have been shown")
      ->type_name("N")
      ->check(number_up_to(std::uint64_t{1} << 62))
      ->group(group);
  app.add_flag("--fail-on-drop", show.fail_on_drop,
               "Exit with status 3 when a shown packet was dropped")
      ->group(group);
  app.add_flag("-v,--verbose", show.verbose,
               "More hops, function names, addresses of packets in memory")
      ->group(group);
}

void add_filter_options(CLI::App& app, CaptureSettings& capture) {
  const std::string group = "Which packets";
  add_address_option(app, "--pod-ip", capture.pods,
                     "Packets from or to this address, in the outer or inner header,\nbefore or "
                     "after NAT; may be repeated");
  add_address_option(app, "--peer-ip", capture.peers,
                     "... and with this address at an end; may be repeated");
  for (const char* name : {"--pod-ip", "--peer-ip"}) app.get_option(name)->group(group);
  app.add_option("--port", capture.port, "... and with this port at an end")
      ->type_name("N")
      ->check(number_up_to(65535))
      ->group(group);
  app.add_option_function<std::string>(
         "--protocol",
         [&capture](const std::string& text) { capture.protocol = parse_protocol(text); },
         "... and of this protocol")
      ->type_name("tcp|udp|icmp|icmpv6|sctp|N")
      ->check(checked<std::uint8_t>(parse_protocol,
                                    "tcp, udp, icmp, icmpv6, sctp or a number from 0 to 255"))
      ->group(group);
}

void add_trace_options(CLI::App& app, TraceCommand& trace) {
  add_filter_options(app, trace.capture);
  add_show_options(app, trace.show);
  const std::string group = "Capture";
  app.add_option("--interface", trace.capture.interfaces,
                 "Where to put the tc programs (shell patterns, repeatable);\nthe default finds "
                 "the node's devices")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option_function<std::string>(
         "--ring-size",
         [&trace](const std::string& text) { trace.capture.ring_bytes = parse_size(text).value(); },
         "Bytes of the ring buffer, a power of two (default 8M)")
      ->type_name("SIZE")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            const auto size = parse_size(text);
            const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
            if (size && std::has_single_bit(*size) && *size >= page && *size <= (1U << 30))
              return {};
            const std::uint64_t near =
                size ? std::clamp(std::bit_ceil(*size), page, std::uint64_t{1} << 30) : 0;
            return fmt::format(
                "'{}' is not a power of two from {} to 1G{}", text, page,
                size ? fmt::format(" (next: {})", near) : std::string(" (16M, 512K)"));
          },
          ""))
      ->group(group);
  app.add_flag("--explain,!--no-explain", trace.explain,
               "Ask the node why a packet died and what mends it (on by default)")
      ->group(group);
  app.add_flag("--armed", trace.armed,
               "Keep every probe attached, also on a busy node while nothing\nis followed")
      ->group(group);
  app.add_option("--busy-rate", trace.busy_rate,
                 "Packets a second that make a node a busy one (default 20000)")
      ->type_name("N")
      ->check(number_up_to(std::uint64_t{1} << 32))
      ->group(group);
  add_time_option(app, "--duration", trace.duration, "Stop after 10s, 2m, 1h")->group(group);
  app.add_option("-w,--write", trace.write_file, "Also record everything that `dptrace show` needs")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--ready-file", trace.ready_file, "Create FILE once every probe is attached")
      ->type_name("FILE")
      ->group(group);
}

void add_drops_options(CLI::App& app, DropsCommand& drops) {
  add_filter_options(app, drops.capture);
  app.add_option("--interface", drops.capture.interfaces,
                 "... at the devices of these names (shell patterns, repeatable)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group("Which packets");
  const std::string group = "Output";
  add_format_option(app, drops.json)->group(group);
  app.add_flag("--all", drops.all, "Also show normal frees (not losses)")->group(group);
  app.add_flag("-v,--verbose", drops.verbose,
               "Under each row its details, a packet, and the functions that led to it")
      ->group(group);
  app.add_flag("--explain,!--no-explain", drops.explain,
               "Ask the node why packets died and what mends it (on by default)")
      ->group(group);
  app.add_flag("--fail-on-drop", drops.fail_on_drop, "Exit with status 3 when a packet was lost")
      ->group(group);
  add_time_option(app, "--interval", drops.interval, "Of the tables (default 1s)")->group(group);
  app.add_flag("--once", drops.once, "One table after one interval, then exit")->group(group);
  add_time_option(app, "--duration", drops.duration, "Stop after 10s, 2m, 1h")->group(group);
  app.add_option_function<std::string>(
         "--metrics",
         [&drops](const std::string& text) { drops.metrics = ListenAddress::parse(text); },
         "Serve Prometheus at http://ADDRESS:PORT/metrics;\na bare port listens on 127.0.0.1")
      ->type_name("ADDRESS:PORT")
      ->check(checked<ListenAddress>(ListenAddress::parse,
                                     "an IP address and port (127.0.0.1:9435, [::1]:9435; a bare "
                                     "port listens on 127.0.0.1)"))
      ->group(group);
  app.add_option("--metrics-config", drops.metrics_config,
                 "TLS and passwords for that, a file as exporters' --web.config.file")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--ready-file", drops.ready_file, "Create FILE once the counting has begun")
      ->type_name("FILE")
      ->group(group);
}

std::string port_contradiction(const CaptureSettings& capture) {
  if (capture.port == 0 || !capture.protocol || has_ports(*capture.protocol)) return {};
  return fmt::format("--port {} contradicts --protocol: only tcp, udp and sctp have ports",
                     capture.port);
}

std::string contradiction(const DropsCommand& drops) {
  if (drops.once && drops.duration) {
    return "--duration contradicts --once: one table takes one --interval";
  }
  if (drops.once && drops.metrics) {
    return "--metrics contradicts --once: after one table nothing is left to be served";
  }
  if (!drops.metrics_config.empty() && !drops.metrics) {
    return "--metrics-config says who may read what --metrics ADDRESS:PORT serves: give that, too";
  }
  return port_contradiction(drops.capture);
}

// True when both paths name one file, also when it does not exist yet, or has several names.
bool is_same_file(const std::string& one, const std::string& other) {
  if (one.empty() || other.empty()) return false;
  std::error_code none;
  if (std::filesystem::equivalent(one, other, none)) return true;
  const auto path = [&](const std::string& name) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(name, none), none);
  };
  return path(one) == path(other);
}

std::string contradiction(const TraceCommand& trace) {
  const auto& capture = trace.capture;
  if (capture.pods.empty() && capture.peers.empty() && capture.port == 0 && !capture.protocol) {
    return "which packets? Name a pod: dptrace --pod-ip IP (or --peer-ip, --port, --protocol)";
  }
  if (auto wrong = port_contradiction(capture); !wrong.empty()) return wrong;
  if (trace.show.all && trace.show.drops_only) {
    return "--all contradicts --drops-only: normal frees are not drops";
  }
  if (trace.armed && trace.busy_rate) {
    return "--armed contradicts --busy-rate: every probe stays attached at any rate";
  }
  if (is_same_file(trace.write_file, trace.ready_file)) {
    return fmt::format("--write {} and --ready-file {} name the same file", trace.write_file,
                       trace.ready_file);
  }
  return {};
}

int refuse(const std::string& message) {
  say(message + "\nTry 'dptrace --help'.");
  return kUsage;
}

// The grammar of the command line: its app writes into the commands.
struct Grammar {
  TraceCommand trace;
  TraceCommand explicit_trace;
  DropsCommand drops;
  ShowCommand show;
  ExplainCommand explain;
  CheckCommand check;
  CompletionCommand completion;
  CLI::App app{"Follows packets through the kernel's datapath: every hop, where they die, and why.",
               "dptrace"};
  CLI::App* trace_app = nullptr;
  CLI::App* drops_app = nullptr;
  CLI::App* show_app = nullptr;
  CLI::App* explain_app = nullptr;
  CLI::App* check_app = nullptr;
  CLI::App* completion_app = nullptr;

  Grammar() {
    app.footer(kExamples);
    app.set_version_flag("--version", std::string("dptrace ") + kVersion);
    app.get_formatter()->column_width(34);
    app.require_subcommand(0, 1);
    add_trace_options(app, trace);

    trace_app =
        app.add_subcommand("trace", "Follow the packets of a pod, live (the default command)");
    trace_app->footer(kExamples);
    add_trace_options(*trace_app, explicit_trace);

    drops_app = app.add_subcommand("drops", "Count every drop on the node by its kind");
    drops_app->footer(kDropsExamples);
    add_drops_options(*drops_app, drops);

    show_app = app.add_subcommand("show", "Print a recording again");
    add_show_options(*show_app, show.show);
    show_app->add_option("FILE", show.file, "As written by --write")->required();

    explain_app = app.add_subcommand("explain", "What a cause of loss means, and what mends it");
    explain_app->footer(kExplainExamples);
    CLI::Option* cause =
        explain_app->add_option("CAUSE", explain.cause, "As --list names it")->type_name("");
    explain_app->add_flag("--list", explain.list, "The causes, a line each")->excludes(cause);

    check_app = app.add_subcommand("check",
                                   "What this kernel and this user allow, and what cannot be seen");
    add_format_option(*check_app, check.json);
    check_app->add_flag("--clean", check.clean, "Remove what a killed dptrace may have left");

    completion_app = app.add_subcommand("completion", "Print the completion script of a shell");
    completion_app->add_option("SHELL", completion.shell, "bash or zsh")
        ->required()
        ->check(one_of("bash", "zsh"));
  }
};

bool replaces_operands(const CLI::Option& option) {
  const auto& excluded = option.get_excludes();
  return option.nonpositional() &&
         std::any_of(excluded.begin(), excluded.end(),
                     [](const CLI::Option* other) { return !other->nonpositional(); });
}

ListedOption listed(const CLI::Option& option) {
  ListedOption entry{{},
                     option.get_type_size() == 0 ? "" : option.get_type_name(),
                     option.get_description(),
                     option.get_expected_max() > 1,
                     replaces_operands(option)};
  for (const auto& letter : option.get_snames()) entry.names.push_back("-" + letter);
  for (const auto& word : option.get_lnames()) entry.names.push_back("--" + word);
  return entry;
}

ListedCommand listed(const CLI::App& app, std::string name) {
  ListedCommand command{std::move(name), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) {
      command.options.push_back(listed(*option));
    } else {
      command.operands.push_back(option->get_name(true));
    }
  }
  return command;
}

std::vector<ListedCommand> list(const Grammar& grammar) {
  return {listed(grammar.app, ""),
          listed(*grammar.trace_app, "trace"),
          listed(*grammar.drops_app, "drops"),
          listed(*grammar.show_app, "show"),
          listed(*grammar.explain_app, "explain"),
          listed(*grammar.check_app, "check"),
          listed(*grammar.completion_app, "completion")};
}

}  // namespace

std::vector<ListedCommand> list_options() { return list(Grammar()); }

std::variant<Command, int> parse_command_line(int argc, const char* const* argv) {
  Grammar grammar;
  auto words = arrange({argv + 1, argv + argc}, list(grammar));
  if (!words) return refuse(words.error().message);
  std::reverse(words->begin(), words->end());  // as the parser wants them
  try {
    grammar.app.parse(std::move(*words));
  } catch (const CLI::Success& answered) {
    std::ostringstream text;
    std::ostringstream none;
    const int status = grammar.app.exit(answered, text, none);
    return print_results(text.str(), status);
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  }
  if (grammar.drops_app->parsed()) {
    if (const auto wrong = contradiction(grammar.drops); !wrong.empty()) return refuse(wrong);
    return Command(grammar.drops);
  }
  if (grammar.show_app->parsed()) return Command(grammar.show);
  if (grammar.explain_app->parsed()) return Command(grammar.explain);
  if (grammar.check_app->parsed()) return Command(grammar.check);
  if (grammar.completion_app->parsed()) return Command(grammar.completion);
  TraceCommand& trace = grammar.trace_app->parsed() ? grammar.explicit_trace : grammar.trace;
  if (const auto wrong = contradiction(trace); !wrong.empty()) return refuse(wrong);
  trace.capture.every_probe = trace.show.verbose;
  trace.capture.busy_rate = trace.armed ? 0 : trace.busy_rate.value_or(Gearbox::kBusy);
  return Command(trace);
}

}  // namespace dptrace
