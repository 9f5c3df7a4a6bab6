// `dptrace check` tells what this kernel and this user allow, and what cannot be seen without it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "capture/capture.hpp"
#include "cli/commands.hpp"
#include "node/capabilities.hpp"
#include "node/kernel_version.hpp"
#include "node/lockdown.hpp"
#include "node/netns.hpp"
#include "node/rules/rules.hpp"
#include "run/exit_status.hpp"
#include "run/prerequisites.hpp"
#include "run/standard_output.hpp"

namespace dptrace {

namespace {

struct Finding {
  std::string name;
  bool ok = false;
  bool required = true;
  std::string facts;   ///< what can be seen with it
  std::string remedy;  ///< what to do when it is missing
};

using Findings = std::vector<Finding>;

void check_rights(Findings& findings) {
  const auto capabilities = Capabilities::read();
  for (const auto& used : Capabilities::used()) {
    const bool has = capabilities && capabilities->has(used.number);
    findings.push_back({std::string(used.name), has, used.required, std::string(used.purpose),
                        has ? "" : "run dptrace as root or give it this capability"});
  }
}

void check_lockdown(Findings& findings) {
  const auto mode = lockdown_mode();
  const auto words = lockdown_words(mode);
  findings.push_back({mode.empty() ? "no lockdown" : "lockdown=" + mode, words.empty(), true,
                      "BPF programs that read the kernel's memory", words});
}

void check_netns(Findings& findings) {
  const bool first = is_first_netns();
  findings.push_back(
      {"network namespace", first, false, "the node's own devices, before their queues",
       first ? ""
             : "this is not the network namespace that the machine starts with: of the node's own "
               "devices nothing is known here but what tracepoints see (in a pod: hostNetwork: "
               "true)"});
}

// Attaches the probes for real, with a filter that no packet matches.
void check_probes(Findings& findings, Prerequisites& node) {
  CaptureSettings settings;
  settings.pods.push_back(Address::parse("::").value());
  settings.ring_bytes = 1U << 16;
  settings.load_all = true;
  const bool reasons = !node.btf.drop_reasons().empty();
  const auto capture = Capture::start(settings, std::move(node.btf), node.symbols);
  if (!capture) {
    findings.push_back({"BPF programs", false, true, "everything", capture.error().message});
    return;
  }
  for (const auto& probe : (*capture)->probes()) {
    findings.push_back({fmt::format("{} ({})", probe.name, probe.mechanism), probe.attached, false,
                        probe.facts, probe.why});
  }
  findings.push_back(
      {"drop reasons", reasons, false, "why the kernel dropped a packet, in its own words",
       reasons
           ? ""
           : "this kernel has none (they came with 5.17): the freeing function is told instead"});
}

// Their places are told all the same.
void check_rule_texts(Findings& findings) {
  const auto add = [&](const char* name, const char* facts, std::string why) {
    const bool ok = why.empty();
    findings.push_back({name, ok, false, facts, std::move(why)});
  };
  add("libnftables", "what the nftables rule says that drops a packet", why_no_nftables_text());
  add("iptables-legacy-save", "what the rule of iptables-legacy says that drops a packet",
      why_no_xtables_text());
}

Findings examine() {
  Findings findings;
  const auto old = too_old(kernel_release());
  findings.push_back(
      {fmt::format("kernel {}", kernel_release()), old.empty(), true, "5.10 or later", old});
  check_rights(findings);
  if (!old.empty()) return findings;
  const auto btf = KernelBtf::load();
  findings.push_back({"kernel BTF", btf.has_value(), true,
                      "the layout of the running kernel's structs",
                      btf ? "" : btf.error().message});
  const auto symbols = Symbols::load();
  findings.push_back({"kernel symbols", symbols.has_value(), true, "names of functions",
                      symbols ? "" : symbols.error().message});
  check_lockdown(findings);
  check_netns(findings);
  if (auto node = meet_prerequisites()) check_probes(findings, *node);
  check_rule_texts(findings);
  return findings;
}

std::string as_text(const Findings& findings, bool can_run) {
  std::string text;
  for (const auto& finding : findings) {
    text += fmt::format("{:<8} {:<32} {}\n",
                        finding.ok         ? "ok"
                        : finding.required ? "MISSING"
                                           : "missing",
                        finding.name, finding.facts);
    if (!finding.ok && !finding.remedy.empty())
      text += fmt::format("{:>42}{}\n", "", finding.remedy);
  }
  text +=
      can_run ? "\ndptrace can follow packets here.\n" : "\ndptrace cannot follow packets here.\n";
  return text;
}

// Bytes that are not UTF-8 are replaced, so that the line is always valid JSON.
std::string as_line(const nlohmann::ordered_json& object) {
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

std::string as_json(const Findings& findings, bool can_run) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const auto& finding : findings) {
    nlohmann::ordered_json check = {{"name", finding.name},
                                    {"state", finding.ok ? "ok" : "missing"},
                                    {"required", finding.required},
                                    {"facts", finding.facts}};
    if (!finding.ok && !finding.remedy.empty()) check["remedy"] = finding.remedy;
    checks.push_back(std::move(check));
  }
  const nlohmann::ordered_json object = {{"type", "check"},
                                         {"schema_version", 1},
                                         {"can_run", can_run},
                                         {"checks", std::move(checks)}};
  return as_line(object);
}

int clean(bool json) {
  const auto removed = remove_stale_filters();
  if (!removed) {
    say(removed.error().message);
    if (!json) return kFailure;
    return print_results(
        as_line({{"type", "clean"}, {"schema_version", 1}, {"error", removed.error().message}}),
        kFailure);
  }
  if (json) {
    return print_results(
        as_line({{"type", "clean"}, {"schema_version", 1}, {"filters_removed", *removed}}),
        kSuccess);
  }
  return print_results(
      fmt::format("{} tc filters of dptrace processes that are no more were removed from this "
                  "network namespace\n",
                  *removed),
      kSuccess);
}

}  // namespace

int run_check(const CheckCommand& command) {
  if (command.clean) return clean(command.json);
  const auto findings = examine();
  const bool can_run = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.required && !finding.ok;
  });
  return print_results(command.json ? as_json(findings, can_run) : as_text(findings, can_run),
                       can_run ? kSuccess : kFailure);
}

}  // namespace dptrace
