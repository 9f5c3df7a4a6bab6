#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>

#include "metrics/metrics.hpp"

using namespace dptrace;
using Catch::Matchers::Contains;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr InterfaceId kBridge = {1, 5};
constexpr InterfaceId kVeth = {1, 6};
constexpr InterfaceId kPodDevice = {2, 2};

Address address(const char* text) { return Address::parse(text).value(); }

Names names() {
  Names names;
  names.interfaces[kBridge] = {.id = kBridge, .name = "cni0", .kind = "bridge"};
  names.interfaces[kVeth] = {.id = kVeth, .name = "veth1", .kind = "veth", .peer_netns = 2};
  names.interfaces[kPodDevice] = {.id = kPodDevice, .name = "eth0", .kind = "veth"};
  names.netns[2] = {.name = "cni-1", .pod = "shop/cart"};
  names.pods[address("10.244.19.2")] = "default/pod1";
  names.reasons[9] = "IP_INADDRERRORS";
  return names;
}

DropKind kind(InterfaceId interface = kBridge) {
  DropKind kind;
  kind.reason = 9;
  kind.location = 0xffffffff81000000;
  kind.interface = interface;
  kind.family = 4;
  kind.protocol = 1;
  return kind;
}

DropRow row(const DropKind& kind, std::uint64_t packets, bool loss = true) {
  DropRow row;
  row.kind = kind;
  row.end = loss ? End::kLoss : End::kCopy;
  row.interval = {packets, packets * 84};
  row.total = row.interval;
  return row;
}

DropTable table(std::vector<DropRow> rows, std::uint64_t seconds = 1) {
  DropTable table;
  table.time_ns = seconds * kSecond;
  table.rows = std::move(rows);
  return table;
}

std::string labels_of(const DropKind& kind) {
  std::string text;
  for (const auto& [name, value] : drop_labels(kind, names())) {
    text += (text.empty() ? "" : " ") + std::string(name) + "=" + value;
  }
  return text;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a kind's labels: the kernel's reason, the device, the protocol, the pod by address") {
  DropKind of_pod = kind();
  of_pod.pod = address("10.244.19.2");
  CHECK(labels_of(of_pod) ==
        "reason=IP_INADDRERRORS cause= interface=cni0 protocol=icmp namespace=default pod=pod1");
}

TEST_CASE("without an address the pod is the one that the device is of, or leads to") {
  CHECK(labels_of(kind(kPodDevice)) ==
        "reason=IP_INADDRERRORS cause= interface=eth0 protocol=icmp namespace=shop pod=cart");
  CHECK(labels_of(kind(kVeth)) ==
        "reason=IP_INADDRERRORS cause= interface=veth1 protocol=icmp namespace=shop pod=cart");
}

TEST_CASE("what is not known is an empty label") {
  DropKind unknown;
  unknown.interface = {7, 7};
  CHECK(labels_of(unknown) == "reason= cause= interface= protocol= namespace= pod=");
}

TEST_CASE("a number without a name is its own label") {
  DropKind number = kind();
  number.reason = 4711;
  number.protocol = 200;
  CHECK_THAT(labels_of(number), Contains("reason=4711 ") && Contains("protocol=200 "));
}

TEST_CASE("kinds that differ only by location share a series") {
  DropKind elsewhere = kind();
  elsewhere.location += 64;
  Metrics metrics("0.1.0");
  metrics.update(table({row(kind(), 3), row(elsewhere, 4)}), names());
  CHECK_THAT(metrics.text(),
             Contains("dptrace_drop_packets_total{reason=\"IP_INADDRERRORS\",cause=\"\","
                      "interface=\"cni0\",protocol=\"icmp\",namespace=\"\",pod=\"\"} 7\n"));
  CHECK_THAT(metrics.text(), Contains("protocol=\"icmp\",namespace=\"\",pod=\"\"} 588\n"));
}

TEST_CASE("counters keep what they have when the row is gone") {
  Metrics metrics("0.1.0");
  metrics.update(table({row(kind(), 3)}, 1), names());
  metrics.update(table({}, 2), names());
  CHECK_THAT(metrics.text(), Contains("pod=\"\"} 3\n"));
  metrics.update(table({row(kind(), 2)}, 3), names());
  CHECK_THAT(metrics.text(), Contains("pod=\"\"} 5\n"));
}

TEST_CASE("packets keep the cause that was known when they were counted") {
  const auto explained = [](std::uint64_t seconds, std::uint64_t packets, const char* cause) {
    DropTable shown = table({row(kind(), packets)}, seconds);
    shown.explained = true;
    shown.other_interval = {1, 100};
    if (cause != nullptr)
      shown.rows[0].explanation = std::make_shared<Explanation>(Explanation{cause, "", {}, {}});
    return shown;
  };
  Metrics metrics("0.1.0");
  metrics.update(explained(1, 3, nullptr), names());
  metrics.update(explained(2, 4, "forwarding-disabled"), names());
  metrics.update(explained(3, 5, "unknown"), names());
  metrics.update(explained(4, 6, "forwarding-disabled"), names());
  const auto series = [](const std::string& cause, std::uint64_t packets) {
    return Contains(fmt::format(
        "dptrace_drop_packets_total{{reason=\"IP_INADDRERRORS\",cause=\"{}\",interface=\"cni0\","
        "protocol=\"icmp\",namespace=\"\",pod=\"\"}} {}\n",
        cause, packets));
  };
  CHECK_THAT(metrics.text(), series("unknown", 8) && series("forwarding-disabled", 10));
  CHECK_THAT(metrics.text(), Contains("{reason=\"other\",cause=\"unknown\",interface=\"other\""));
}

TEST_CASE("a free that is no loss is no metric") {
  Metrics metrics("0.1.0");
  metrics.update(table({row(kind(), 3, false)}), names());
  CHECK_THAT(metrics.text(), !Contains("dptrace_drop_packets_total{"));
}

TEST_CASE("kinds that found no room in the kernel are counted as other") {
  DropTable full = table({});
  full.other = full.other_interval = {10, 600};
  Metrics metrics("0.1.0");
  metrics.update(full, names());
  CHECK_THAT(metrics.text(), Contains("dptrace_drop_packets_total{reason=\"other\",cause=\"\","
                                      "interface=\"other\",protocol=\"other\",namespace=\"other\","
                                      "pod=\"other\"} 10\n"));
}

TEST_CASE("counters of the kernel and lost events") {
  DropTable losses = table({});
  losses.samples_lost = 12;
  losses.not_examined = 4;
  losses.counters.push_back({"udp", "RcvbufErrors", {2, 0}, 9, 4});
  losses.counters.push_back({"device", "rx_dropped", kBridge, 2, 2});
  Metrics metrics("0.1.0");
  metrics.update(losses, names());
  CHECK_THAT(metrics.text(), Contains("dptrace_events_lost_total{stage=\"ring\"} 12\n"));
  CHECK_THAT(metrics.text(), Contains("dptrace_events_lost_total{stage=\"kernel\"} 4\n"));
  CHECK_THAT(metrics.text(),
             Contains("dptrace_kernel_losses_total{group=\"udp\",name=\"RcvbufErrors\","
                      "interface=\"\",namespace=\"shop\",pod=\"cart\"} 4\n"));
  CHECK_THAT(metrics.text(), Contains("{group=\"device\",name=\"rx_dropped\",interface=\"cni0\","
                                      "namespace=\"\",pod=\"\"} 2\n"));
}

TEST_CASE("beyond so many series the interface and the pod are other, said once and counted") {
  Names many = names();
  for (std::uint32_t index = 10; index < 20; ++index)
    many.interfaces[{1, index}].name = "veth" + std::to_string(index);
  Metrics metrics("0.1.0", 4);
  std::vector<DropRow> rows;
  for (std::uint32_t index = 10; index < 14; ++index) rows.push_back(row(kind({1, index}), 1));
  metrics.update(table(rows), many);
  CHECK_FALSE(metrics.take_warning());
  for (std::uint32_t index = 14; index < 20; ++index) rows.push_back(row(kind({1, index}), 1));
  metrics.update(table(rows, 2), many);
  const std::string text = metrics.text();
  CHECK(count(text, "\ndptrace_drop_packets_total{") == 5);
  CHECK_THAT(text, Contains("interface=\"veth13\",protocol=\"icmp\",namespace=\"\",pod=\"\"} 2\n"));
  CHECK_THAT(text, Contains("dptrace_drop_packets_total{reason=\"IP_INADDRERRORS\",cause=\"\","
                            "interface=\"other\",protocol=\"icmp\",namespace=\"other\","
                            "pod=\"other\"} 6\n"));
  CHECK_THAT(text, Contains("dptrace_series_collapsed_total 6\n"));
  CHECK(metrics.take_warning());
  CHECK_FALSE(metrics.take_warning());
}

TEST_CASE("series that have long not risen make room") {
  Names many = names();
  many.interfaces[{1, 10}].name = "old";
  many.interfaces[{1, 11}].name = "young";
  many.interfaces[{1, 12}].name = "new";
  Metrics metrics("0.1.0", 2);
  metrics.update(table({row(kind({1, 10}), 1)}, 1), many);
  metrics.update(table({row(kind({1, 11}), 1)}, 600), many);
  metrics.update(table({row(kind({1, 12}), 1)}, 1000), many);
  const std::string text = metrics.text();
  CHECK_THAT(text, !Contains("interface=\"old\""));
  CHECK_THAT(text, Contains("interface=\"young\"") && Contains("interface=\"new\""));
  CHECK_THAT(text, Contains("dptrace_series_collapsed_total 0\n"));
}

TEST_CASE("what is collapsed stays few: protocols without a name are other, too") {
  DropKind odd = kind();
  odd.protocol = 200;
  const auto labels = collapsed(drop_labels(odd, names()));
  CHECK(labels == MetricLabels{{"reason", "IP_INADDRERRORS"},
                               {"cause", ""},
                               {"interface", "other"},
                               {"protocol", "other"},
                               {"namespace", "other"},
                               {"pod", "other"}});
}

TEST_CASE("a name cannot break the format") {
  Names hostile = names();
  hostile.interfaces[kBridge].name = "a\"b\\c\nd";
  Metrics metrics("0.1.0");
  metrics.update(table({row(kind(), 1)}), hostile);
  CHECK_THAT(metrics.text(), Contains("interface=\"a\\\"b\\\\c\\nd\""));
}

TEST_CASE("large counts are exact") {
  Metrics metrics("0.1.0");
  DropRow large = row(kind(), 1);
  large.interval = {123'456'789'012'345, 9'007'199'254'740'992};
  metrics.update(table({large}), names());
  CHECK_THAT(metrics.text(), Contains("} 123456789012345\n") && Contains("} 9007199254740992\n"));
}

TEST_CASE("probes, build and what is always there") {
  Metrics metrics("1.2.3");
  metrics.set_probes(
      {{"kfree_skb", "tp_btf", true, "", ""}, {"nf_hook_slow", "fexit", false, "", ""}});
  const std::string text = metrics.text();
  CHECK_THAT(text, Contains("dptrace_probe_attached{probe=\"kfree_skb\"} 1\n"));
  CHECK_THAT(text, Contains("dptrace_probe_attached{probe=\"nf_hook_slow\"} 0\n"));
  CHECK_THAT(text, Contains("dptrace_build_info{version=\"1.2.3\"} 1\n"));
  CHECK_THAT(text, Contains("dptrace_events_lost_total{stage=\"ring\"} 0\n"));
  CHECK_THAT(text, Contains("# HELP dptrace_drop_packets_total ") &&
                       Contains("# TYPE dptrace_drop_packets_total counter\n"));
}

TEST_CASE("a series ends with what it is about, after a last scrape") {
  Metrics metrics("0.1.0");
  Presence presence{.home_netns = 1,
                    .home_devices = {kBridge.index, kVeth.index},
                    .netns = {1, 2, 3},
                    .has_all_netns = true,
                    .pods = {"default/pod1", "shop/cart"}};
  auto known = names();
  known.interfaces[{3, 7}] = {.id = {3, 7}, .name = "\xff", .kind = "veth"};
  DropKind of_pod = kind();
  of_pod.pod = address("10.244.19.2");
  const auto rows = {row(kind(), 1), row(kind({3, 7}), 1), row(kind(kPodDevice), 1),
                     row(of_pod, 1)};
  metrics.update(table(rows, 1), known);
  const auto count = [&] {
    const auto text = metrics.text();
    std::size_t series = 0;
    for (auto at = text.find("dptrace_drop_packets_total{"); at != std::string::npos;
         at = text.find("dptrace_drop_packets_total{", at + 1))
      ++series;
    return series;
  };
  REQUIRE(count() == 4);
  metrics.end(presence, 100 * kSecond);
  CHECK(count() == 4);  // all there
  presence.netns.erase(3);
  metrics.end(presence, 60 * kSecond);
  CHECK(count() == 4);  // a scrape may be due
  metrics.end(presence, 61 * kSecond);
  CHECK(count() == 3);
  presence.pods.erase("default/pod1");
  presence.home_devices.erase(kBridge.index);
  metrics.end(presence, 62 * kSecond);
  CHECK(count() == 1);
  presence.netns.clear();
  presence.has_all_netns = false;
  metrics.end(presence, 63 * kSecond);
  CHECK(count() == 1);  // it cannot be told
}

TEST_CASE("kinds beyond the share of a pod's netns are that pod's other") {
  DropKind folded;
  folded.folded = true;
  folded.interface = {kPodDevice.netns, 0};
  Metrics metrics("0.1.0");
  metrics.update(table({row(folded, 3)}), names());
  CHECK_THAT(metrics.text(),
             Contains("dptrace_drop_packets_total{reason=\"other\",cause=\"\",interface=\"\","
                      "protocol=\"other\",namespace=\"shop\",pod=\"cart\"} 3\n"));
}
