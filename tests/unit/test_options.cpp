#include <algorithm>
#include <catch2/catch.hpp>

#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "cli/option_list.hpp"
#include "run/exit_status.hpp"

using namespace dptrace;

namespace {

std::variant<Command, int> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "dptrace");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TraceCommand trace(std::vector<const char*> arguments) {
  return std::get<TraceCommand>(std::get<Command>(parse(std::move(arguments))));
}

bool is_refused(std::vector<const char*> arguments) {
  const auto parsed = parse(std::move(arguments));
  return std::holds_alternative<int>(parsed) && std::get<int>(parsed) == kUsage;
}

}  // namespace

TEST_CASE("trace is the default command") {
  for (const auto& command :
       {trace({"--pod-ip", "10.244.1.3"}), trace({"trace", "--pod-ip", "10.244.1.3"})}) {
    REQUIRE(command.capture.pods.size() == 1);
    CHECK(command.capture.pods[0].text() == "10.244.1.3");
    CHECK(command.capture.ring_bytes == 8U << 20);
    CHECK(command.capture.busy_rate == Gearbox::kBusy);
    CHECK_FALSE(command.show.json);
  }
}

TEST_CASE("addresses may be repeated, of both families") {
  const auto command =
      trace({"--pod-ip", "10.244.1.3", "--pod-ip", "fd00::3", "--peer-ip", "10.0.0.1"});
  CHECK(command.capture.pods.size() == 2);
  CHECK(command.capture.peers.size() == 1);
}

TEST_CASE("every option of a trace reaches its command") {
  const auto command =
      trace({"--pod-ip",     "10.244.1.3",  "--port",      "53",          "--protocol",
             "udp",          "--interface", "veth*",       "--interface", "cni0",
             "--drops-only", "-o",          "json",        "-w",          "f.dpt",
             "-c",           "7",           "--duration",  "10s",         "--fail-on-drop",
             "--ready-file", "r",           "--ring-size", "1M",          "-v"});
  CHECK(command.capture.port == 53);
  CHECK(command.capture.protocol == 17);
  CHECK(command.capture.interfaces == std::vector<std::string>{"veth*", "cni0"});
  CHECK(command.show.drops_only);
  CHECK(command.show.json);
  CHECK(command.write_file == "f.dpt");
  CHECK(command.show.count == 7);
  CHECK(command.duration == std::chrono::seconds(10));
  CHECK(command.show.fail_on_drop);
  CHECK(command.ready_file == "r");
  CHECK(command.capture.ring_bytes == 1U << 20);
  CHECK(command.show.verbose);
  CHECK(command.capture.every_probe);
}

TEST_CASE("when the node is busy can be said, or that all stays attached however busy it is") {
  CHECK(trace({"--pod-ip", "10.0.0.1", "--busy-rate", "500"}).capture.busy_rate == 500);
  CHECK(trace({"--pod-ip", "10.0.0.1", "--armed"}).capture.busy_rate == 0);
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--armed", "--busy-rate", "500"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--busy-rate", "-1"}));
}

TEST_CASE("every option of the drop-watch reaches its command") {
  const auto parsed = parse({"drops",      "--pod-ip", "10.244.1.3", "--peer-ip", "10.0.0.1",
                             "--port",     "53",       "--protocol", "udp",       "--interface",
                             "veth*",      "-o",       "json",       "--all",     "--fail-on-drop",
                             "--interval", "500ms",    "--duration", "2m",        "--ready-file",
                             "r"});
  const auto command = std::get<DropsCommand>(std::get<Command>(parsed));
  CHECK(command.capture.pods.size() == 1);
  CHECK(command.capture.peers.size() == 1);
  CHECK(command.capture.port == 53);
  CHECK(command.capture.protocol == 17);
  CHECK(command.capture.interfaces == std::vector<std::string>{"veth*"});
  CHECK(command.json);
  CHECK(command.all);
  CHECK(command.fail_on_drop);
  CHECK_FALSE(command.once);
  CHECK(command.interval == std::chrono::milliseconds(500));
  CHECK(command.duration == std::chrono::minutes(2));
  CHECK(command.ready_file == "r");
}

TEST_CASE("the drop-watch needs no filter and takes a second for an interval") {
  const auto command = std::get<DropsCommand>(std::get<Command>(parse({"drops", "--once"})));
  CHECK(command.once);
  CHECK(command.interval == std::chrono::seconds(1));
  CHECK_FALSE(command.duration);
}

TEST_CASE("wrong command lines are refused") {
  CHECK(is_refused({"drops", "--once", "--duration", "10s"}));
  CHECK(is_refused({"drops", "--interval", "0s"}));
  CHECK(is_refused({"drops", "--protocol", "icmp", "--port", "80"}));
  CHECK(is_refused({"drops", "--drops-only"}));
  CHECK(is_refused({}));
  CHECK(is_refused({"--pod-ip", "10.244.1.300"}));
  CHECK(is_refused({"--pod-ip", "web"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--port", "0"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--port", "65536"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--protocol", "tpc"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--protocol", "icmp", "--port", "80"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--ring-size", "1000"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--ring-size", "3M"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--duration", "10"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "-o", "xml"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "-c", "0"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--all", "--drops-only"}));
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "--no-such-option"}));
  CHECK(is_refused({"show"}));
  CHECK(is_refused({"completion", "fish"}));
}

TEST_CASE("options of a command may stand before its name") {
  const auto parsed = parse({"--pod-ip", "10.244.1.3", "-o", "json", "drops", "--once"});
  const auto command = std::get<DropsCommand>(std::get<Command>(parsed));
  CHECK(command.capture.pods.size() == 1);
  CHECK(command.json);
  CHECK(command.once);
  CHECK_FALSE(command.verbose);
  CHECK(std::get<DropsCommand>(std::get<Command>(parse({"drops", "-v"}))).verbose);
}

TEST_CASE("a value may look like anything but an option") {
  CHECK(trace({"--pod-ip=10.244.1.3", "-w", "-x.dpt"}).write_file == "-x.dpt");
  CHECK(trace({"--pod-ip=10.244.1.3", "--write=--all"}).write_file == "--all");
  CHECK(trace({"--pod-ip=10.244.1.3", "-vwf=g"}).write_file == "f=g");
  const auto shown = std::get<ShowCommand>(std::get<Command>(parse({"show", "-c5", "--", "-f"})));
  CHECK(shown.file == "-f");
  CHECK(shown.show.count == 5);
}

TEST_CASE("what is wrong is named as it was written, and what is accepted") {
  const auto said = [](std::vector<std::string> arguments) {
    const auto arranged = arrange(arguments, list_options());
    return arranged ? "nothing" : arranged.error().message;
  };
  CHECK(said({"-c5", "drops"}) == "-c is no option of 'dptrace drops', but of 'dptrace trace'");
  CHECK(said({"--ring-size", "1M", "show", "f"}) ==
        "--ring-size is no option of 'dptrace show', but of 'dptrace trace'");
  CHECK(said({"drops", "--pod-ip=", "--once"}) == "--pod-ip has an empty value: it takes IP");
  CHECK(said({"drops", "--pod-ip", ""}) == "--pod-ip has an empty value: it takes IP");
  CHECK(said({"drops", "--pod-ip", "--once"}) ==
        "--pod-ip needs a value: --pod-ip IP (behind it is the option --once)");
  CHECK(said({"--pod-ip"}) == "--pod-ip needs a value: --pod-ip IP");
  CHECK(said({"-w="}) == "-w= takes its value without '=': -w FILE");
  CHECK(said({"--all=yes"}) == "--all takes no value");
  CHECK(said({"-o", "json", "--output=text"}) == "--output is given twice: it takes one text|json");
  CHECK(said({"--drop-only"}) == "there is no option --drop-only; did you mean --drops-only?");
  CHECK(said({"frob"}) ==
        "there is no command 'frob': there are trace, drops, show, explain, check, completion");
  CHECK(said({"show"}) == "FILE is missing: dptrace show FILE");
  CHECK(said({"show", "a", "b"}) == "'b' is one word too many: dptrace show FILE");
  CHECK(said({"show", "--help"}) == "nothing");
}

TEST_CASE("a cause is explained, or all are listed") {
  const auto explain = [](std::vector<const char*> arguments) {
    return std::get<ExplainCommand>(std::get<Command>(parse(std::move(arguments))));
  };
  CHECK(explain({"explain", "no-route"}).cause == "no-route");
  CHECK_FALSE(explain({"explain", "no-route"}).list);
  CHECK(explain({"explain", "--", "-x"}).cause == "-x");
  CHECK(explain({"explain", "--list"}).list);
  CHECK(explain({"--list", "explain"}).list);
  const auto said = [](std::vector<std::string> arguments) {
    const auto arranged = arrange(arguments, list_options());
    return arranged ? "nothing" : arranged.error().message;
  };
  const std::string usage = "dptrace explain CAUSE, or dptrace explain --list";
  CHECK(said({"explain"}) == "CAUSE is missing: " + usage);
  CHECK(said({"explain", ""}) == "CAUSE is empty: " + usage);
  CHECK(said({"explain", "a", "b"}) == "'b' is one word too many: " + usage);
  CHECK(said({"explain", "a", "--list"}) == "--list stands alone, without 'a': " + usage);
  CHECK(said({"explain", "--help"}) == "nothing");
  CHECK(is_refused({"explain", "-o", "json", "no-route"}));
}

TEST_CASE("a recording and the ready file are two files, whatever they are called") {
  CHECK(is_refused({"--pod-ip", "10.0.0.1", "-w", "a", "--ready-file", "./a"}));
  CHECK(
      is_refused({"--pod-ip", "10.0.0.1", "-w", "/dev/null", "--ready-file", "/dev/../dev/null"}));
  CHECK_FALSE(is_refused({"--pod-ip", "10.0.0.1", "-w", "a", "--ready-file", "b"}));
}

TEST_CASE("the option list has what the grammar has") {
  const auto commands = list_options();
  const auto has = [&](const std::string& command, const std::string& name) {
    const auto listed = std::find_if(commands.begin(), commands.end(),
                                     [&](const auto& one) { return one.name == command; });
    REQUIRE(listed != commands.end());
    return std::any_of(listed->options.begin(), listed->options.end(), [&](const auto& option) {
      return std::find(option.names.begin(), option.names.end(), name) != option.names.end();
    });
  };
  CHECK(has("", "--pod-ip"));
  CHECK(has("", "--help"));
  CHECK(has("", "-o"));
  CHECK(has("drops", "--once"));
  CHECK(has("show", "--fail-on-drop"));
  CHECK_FALSE(has("show", "--pod-ip"));
}
