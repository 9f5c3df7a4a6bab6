#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "output/drop_output.hpp"
#include "support/collecting_sink.hpp"
#include "support/sample_drops.hpp"
#include "words/drop_words.hpp"

using namespace dptrace;
using namespace dptrace::sample;
using Json = nlohmann::ordered_json;

namespace {

DropRow row(const DropKind& kind, std::uint64_t packets) {
  DropRow row;
  row.kind = kind;
  row.id = packets;
  row.total = {packets, packets * 100};
  row.interval = {packets / 2, packets * 50};
  row.rate = static_cast<double>(packets) / 2;
  row.rate_before = 1.5;
  row.first_ns = kStart;
  row.last_ns = kStart + 2 * kSecond;
  row.samples = {drop_sample()};
  return row;
}

DropTable table() {
  DropTable table;
  table.time_ns = kStart + 2 * kSecond;
  table.interval_ns = kSecond;
  table.rows = {row(kind(), 1200)};
  table.rows[0].kind.pod = address("10.244.1.2");
  table.losses = {1200, 120000};
  return table;
}

std::string text(const DropTable& table, const DropTableStyle& style = {}) {
  setenv("TZ", "UTC", 1);
  std::string all;
  for (const auto& line : drop_table_lines(table, names(), style)) all += line + '\n';
  return all;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string protocol(const DropKind& kind) {
  Buffer out;
  append_drop_protocol(out, kind);
  return std::string(view(out));
}

}  // namespace

TEST_CASE("a table has a title, its columns and a line for each row") {
  CHECK(text(table()) ==
        "05:26:02  600 packets lost in 1.000 s (1 kind), 1200 since the watch began\n"
        " PACKETS NOW/S    BYTES  REASON           LOCATION       PROTO  INTERFACE      POD\n"
        "    1200 600.0   117.2K  IP_INADDRERRORS  ip_error+0x7e  UDP    cni0 (bridge)  "
        "default/client\n");
}

TEST_CASE("with details each row has under it what its line has no room for") {
  DropTable shown = table();
  CHECK(text(shown, {.details = true, .whole = true}) ==
        text(shown, {.whole = true}) +
            "    1200 packets, 120000 bytes, 600.0 a second now, 1.5 before\n"
            "    first seen 2026-11-21 05:26:00, last 2026-11-21 05:26:02\n"
            "    UDP 10.244.1.2:4000 (default/client) → 10.244.6.3:53, 84 bytes\n"
            "    stack: ip_error ip_rcv\n");
  shown.rows[0].kind.reason = 2;
  CHECK(has(text(shown, {.details = true}), "\n    ip_error: no route, forwarding off "));
  shown.rows[0].end = End::kUnwanted;
  CHECK(has(text(shown, {.all = true, .details = true}), "\n    no loss: for others\n"));
  CHECK_FALSE(has(text(shown, {.all = true, .details = true}), "no route"));
}

TEST_CASE("without an interval before, nothing is said of it") {
  DropTable shown = table();
  shown.rows[0].rate_before = 0;
  CHECK(has(text(shown, {.details = true}), " 600.0 a second now\n"));
}

TEST_CASE("a new kind is marked, and an address stands for a pod without a name") {
  DropTable shown = table();
  shown.rows[0].is_new = true;
  shown.rows[0].kind.pod = address("10.244.1.9");
  CHECK(has(text(shown), "\n*   1200 "));
  CHECK(has(text(shown), "cni0 (bridge)  10.244.1.9\n"));
}

TEST_CASE("what is no loss is one line until it is asked for") {
  DropTable shown = table();
  shown.rows.push_back(row(kind(2), 52));
  shown.rows[1].end = End::kClosed;
  shown.harmless = {52, 5200};
  CHECK(has(text(shown), "\nand 52 normal frees (not losses; --all shows them)\n"));
  CHECK(has(text(shown, {.keys = true}), "\nand 52 normal frees (not losses; a shows them)\n"));
  CHECK_FALSE(has(text(shown), "NOT_SPECIFIED"));
  CHECK_FALSE(has(text(shown, {.all = true}), "--all"));
  CHECK(has(text(shown, {.all = true, .whole = true}), "117.2K  yes         IP_INADDRERRORS"));
  CHECK(has(text(shown, {.all = true, .whole = true}),
            "5.1K  no: closed  NOT_SPECIFIED    ip_error+0x7e"));
}

TEST_CASE("what could not be told apart, lost samples, folded rows and counters have their lines") {
  DropTable shown = table();
  shown.other = {70, 7000};
  shown.other_interval = {7, 700};
  shown.samples_lost = 1;
  shown.not_examined = 2;
  shown.folded = {33, 3300};
  shown.folded_rows = 2;
  shown.counters = {{"device", "rx_dropped", kUplink, 12, 3}, {"tcp", "ListenDrops", {}, 5, 0}};
  const std::string lines = text(shown);
  CHECK(has(lines, "other: 70 packets (+7) counted without their kind: "));
  CHECK(has(lines, "\n1 sample packet was lost; every drop was counted\n"));
  CHECK(has(lines,
            "\n2 drops came while another one was counted; whether the filter meant them is not "
            "known\n"));
  CHECK(has(lines, "\nand 33 packets of 2 kinds not seen for long and not listed any more\n"));
  CHECK(has(lines, "\ncounter device rx_dropped, eth0 (uplink): 12 (+3)\n"));
  CHECK(has(lines, "\ncounter tcp ListenDrops: 5\n"));
}

TEST_CASE("no line is wider than asked for") {
  DropTable shown = table();
  shown.rows[0].samples[0].tunnel = vxlan("fd00:10:162::7", "fd00:10:162::6");
  shown.rows[0].samples[0].flow =
      flow("2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222:3333:4444:5555:7777", 6);
  shown.counters = {{"device", "rx_missed_errors", kVeth, 1, 1}};
  shown.other = {1, 1};
  for (const std::size_t width : {20, 50, 80, 100}) {
    for (const auto& line :
         drop_table_lines(shown, names(), {.all = true, .samples = true, .width = width})) {
      CAPTURE(width, line);
      CHECK(columns(line) <= width);
    }
    for (const auto& line : drop_row_lines(shown.rows[0], names(), {.width = width})) {
      CAPTURE(width, line);
      CHECK(columns(line) <= width);
    }
  }
}

TEST_CASE("colour changes no letter") {
  const DropTable shown = table();
  const auto plain = drop_table_lines(shown, names(), {});
  const auto coloured = drop_table_lines(shown, names(), {.colour = true});
  REQUIRE(plain.size() == coloured.size());
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(columns(coloured[i]) == columns(plain[i]));
  CHECK(has(coloured[0], "\033["));
}

TEST_CASE("names of devices cannot command the terminal") {
  Names strange = names();
  strange.interfaces[kCni0].name = "cni0\033[2J";
  for (const auto& line : drop_table_lines(table(), strange, {})) CHECK_FALSE(has(line, "\033"));
}

TEST_CASE("an opened row shows its packets, newest first, with their stacks") {
  DropTable shown = table();
  shown.rows[0].samples = {drop_sample(), drop_sample(kSecond)};
  const auto lines = drop_row_lines(shown.rows[0], names(), {});
  REQUIRE(lines.size() == 8);
  CHECK(lines[0] == "IP_INADDRERRORS UDP at ip_error+0x7e");
  CHECK(lines[1] == "cni0 (bridge), from or to pod default/client");
  CHECK(lines[2] == "1200 packets, 120000 bytes, 600.0 a second now, 1.5 before");
  CHECK(lines[3] == "first seen 2026-11-21 05:26:00, last 2026-11-21 05:26:02");
  CHECK(lines[4].starts_with("05:26:01.123456 UDP 10.244.1.2:4000"));
  CHECK(lines[5] == "    stack: ip_error ip_rcv");
  CHECK(lines[6].starts_with("05:26:00.123456"));
}

TEST_CASE("the parts of a table are what the whole is made of") {
  const DropTable shown = table();
  const DropTableText parts = drop_table_text(shown, names(), {});
  CHECK(parts.title.size() == 1);
  CHECK(parts.head.size() == 1);
  REQUIRE(parts.rows.size() == 1);
  CHECK(parts.rows[0].row == &shown.rows[0]);
  CHECK(parts.rows[0].lines.size() == 1);
  CHECK(drop_table_text(shown, names(), {.samples = true}).rows[0].lines.size() == 2);
}

TEST_CASE("protocols in words") {
  CHECK(protocol(kind()) == "UDP");
  DropKind other = kind();
  other.family = 6;
  CHECK(protocol(other) == "IPv6 UDP");
  other.protocol = 58;
  other.icmp_type = 135;
  CHECK(protocol(other) == "ICMPv6 neighbour solicitation");
  other.icmp_type = 250;
  CHECK(protocol(other) == "ICMPv6 type 250");
  other.family = 4;
  other.protocol = 200;
  CHECK(protocol(other) == "protocol 200");
  other.family = 0;
  CHECK(protocol(other) == "not IP");
  other.ethertype = 0x0806;
  CHECK(protocol(other) == "ARP");
  other.ethertype = 0x88cc;
  CHECK(protocol(other) == "ethertype 0x88cc");
  CHECK(drop_protocol_name(other) == "0x88cc");
  other.ethertype = 0;
  other.interface = {};
  CHECK(protocol(other) == "no packet");
}

TEST_CASE("appended tables tell only of intervals in which something happened") {
  CollectingSink sink;
  const auto output = make_drop_text_output(sink, {});
  DropTable quiet = table();
  quiet.rows[0].interval = {};
  quiet.rows[0].rate = quiet.rows[0].rate_before = 0;
  CHECK(output->interval(quiet, names()));
  CHECK(sink.text.empty());
  CHECK(output->interval(table(), names()));
  CHECK(has(sink.text, "IP_INADDRERRORS"));
  sink.text.clear();
  CHECK(output->finish(quiet, {1252, 1200, 0, 2 * kSecond}, names()));
  CHECK(has(sink.text, "IP_INADDRERRORS"));
  CHECK(has(sink.text, "\n1200 lost in 2.000 s, and 52 normal frees (not losses)\n"));
}

TEST_CASE("a kind is an object of the contract") {
  CollectingSink sink;
  REQUIRE(make_drop_json_output(sink, false)->interval(table(), names()));
  CHECK(sink.text ==
        R"({"type":"drop_kind","schema_version":1,"node_name":"worker-1",)"
        R"("time":"2026-11-21T05:26:02.123456789Z","reason":"IP_INADDRERRORS","reason_code":9,)"
        R"("location":"ip_error+0x7e","interface":{"name":"cni0","index":31,"kind":"bridge",)"
        R"("role":"bridge","netns":"4026531840"},"family":"ipv4","protocol":"udp",)"
        R"("pod":{"ip":"10.244.1.2","pod":"default/client"},"loss":true,"packets":1200,)"
        R"("bytes":120000,"interval_packets":600,"interval_bytes":60000,"interval_ns":1000000000,)"
        R"("rate":600.0,"first_seen":"2026-11-21T05:26:00.123456789Z",)"
        R"("last_seen":"2026-11-21T05:26:02.123456789Z","sample":{"time":)"
        R"("2026-11-21T05:26:00.123456789Z","length":84,"flow":{"family":"ipv4","protocol":"udp",)"
        R"("source":{"ip":"10.244.1.2","port":4000,"pod":"default/client"},)"
        R"("destination":{"ip":"10.244.6.3","port":53}},"stack":["ip_error","ip_rcv"]}})"
        "\n");
}

TEST_CASE("a row says why, and what mends it, from where dptrace runs") {
  Names named = names();
  named.home_netns = 1;
  named.netns[kCni0.netns] = {"n1", "", true, "/run/netns/n1"};
  DropTable shown = table();
  shown.rows[0].explanation =
      std::make_shared<Explanation>(Explanation{"forwarding-disabled",
                                                "cni0 does not forward IPv4 packets",
                                                {"net.ipv4.conf.cni0.forwarding = 0"},
                                                {"sysctl -w net.ipv4.conf.cni0.forwarding=1"}});
  const std::string why =
      "why   cni0 does not forward IPv4 packets (net.ipv4.conf.cni0.forwarding = 0)\n";
  const std::string fix = "fix   ip netns exec n1 sysctl -w net.ipv4.conf.cni0.forwarding=1\n";
  const auto lines_of = [&](const DropTableStyle& style) {
    std::string all;
    for (const auto& line : drop_table_lines(shown, named, style)) all += line + '\n';
    return all;
  };
  CHECK_FALSE(has(lines_of({}), "why"));
  CHECK(has(lines_of({.causes = true}), "    " + why + "    " + fix));
  CHECK(has(lines_of({.details = true}), "    " + why + "    " + fix));
  std::string opened;
  for (const auto& line : drop_row_lines(shown.rows[0], named, {})) opened += line + '\n';
  CHECK(has(opened,
            "\ncause forwarding-disabled (dptrace explain forwarding-disabled)\n" + why + fix));

  // A screen ends its lines between words; a command that is to be pasted is one line.
  opened.clear();
  for (const auto& line : drop_row_lines(shown.rows[0], named, {.keys = true, .width = 40}))
    opened += line + '\n';
  CHECK(has(opened, "\nfix   ip netns exec n1 sysctl -w\n      net.ipv4.conf.cni0.forwarding=1\n"));
  CHECK(has(lines_of({.causes = true, .width = 40}), fix));

  CollectingSink sink;
  REQUIRE(make_drop_json_output(sink, false)->interval(shown, named));
  const Json json = Json::parse(sink.lines()[0]);
  CHECK(json["cause"] == "forwarding-disabled");
  CHECK(json["explanation"] == "cni0 does not forward IPv4 packets");
  CHECK(json["evidence"] == Json{"net.ipv4.conf.cni0.forwarding = 0"});
  CHECK(json["fix"] == Json{"ip netns exec n1 sysctl -w net.ipv4.conf.cni0.forwarding=1"});
}

TEST_CASE(
    "no commands are told for a netns that cannot be entered, and nothing of unknown causes") {
  DropTable shown = table();
  shown.rows[0].kind.interface.netns = 99;
  shown.rows[0].explanation =
      std::make_shared<Explanation>(Explanation{"no-route", "no route", {}, {"true"}});
  CHECK(has(text(shown, {.causes = true}), "    why   no route\n"));
  CHECK_FALSE(has(text(shown, {.causes = true}), "fix"));
  shown.rows[0].explanation = std::make_shared<Explanation>(Explanation{"unknown", "", {}, {}});
  CHECK_FALSE(has(text(shown, {.causes = true}), "why"));
  CollectingSink sink;
  REQUIRE(make_drop_json_output(sink, false)->interval(shown, names()));
  const Json json = Json::parse(sink.lines()[0]);
  CHECK(json["cause"] == "unknown");
  CHECK_FALSE(json.contains("explanation"));
}

TEST_CASE("kinds beyond a share have nothing but their place") {
  DropTable shown = table();
  shown.rows[0].kind = {};
  shown.rows[0].kind.folded = true;
  shown.rows[0].kind.interface = {4026531840, 31};
  shown.rows[0].samples.clear();
  CHECK(has(text(shown), "other kinds, not told apart  cni0 (bridge)\n"));
  CollectingSink sink;
  REQUIRE(make_drop_json_output(sink, false)->interval(shown, names()));
  CHECK(has(sink.text, R"("folded":true,"interface":{"name":"cni0",)"));
  CHECK_FALSE(has(sink.text, "location"));
  CHECK_FALSE(has(sink.text, "reason"));
}

TEST_CASE("JSON tells of an interval only what was counted in it") {
  DropTable shown = table();
  shown.rows.push_back(row(kind(2), 52));
  shown.rows[1].end = End::kClosed;
  shown.rows.push_back(row(kind(6), 8));
  shown.rows[2].interval = {};
  shown.other = {70, 7000};
  shown.other_interval = {7, 700};
  shown.counters = {{"device", "rx_dropped", kUplink, 12, 3}, {"tcp", "ListenDrops", {}, 5, 0}};
  CollectingSink losses, all;
  REQUIRE(make_drop_json_output(losses, false)->interval(shown, names()));
  REQUIRE(make_drop_json_output(all, true)->interval(shown, names()));
  REQUIRE(losses.lines().size() == 4);
  REQUIRE(all.lines().size() == 5);
  CHECK(Json::parse(all.lines()[1])["loss"] == false);
  CHECK(Json::parse(all.lines()[1])["end"] == "closed");
  CHECK_FALSE(Json::parse(all.lines()[0]).contains("end"));
  const Json other = Json::parse(losses.lines()[1]);
  CHECK(other["type"] == "drop_other");
  CHECK(other["packets"] == 70);
  CHECK(other["interval_packets"] == 7);
  const Json counter = Json::parse(losses.lines()[2]);
  CHECK(counter["type"] == "drop_counter");
  CHECK(counter["name"] == "rx_dropped");
  CHECK(counter["interface"]["name"] == "eth0");
  CHECK(counter["total"] == 12);
}

TEST_CASE("the last line is the summary") {
  CollectingSink sink;
  REQUIRE(make_drop_json_output(sink, false)->finish({}, {1252, 1200, 3, 2 * kSecond}, names()));
  CHECK(Json::parse(sink.lines()[0]) == Json({{"type", "summary"},
                                              {"schema_version", 1},
                                              {"node_name", "worker-1"},
                                              {"packets", 1252},
                                              {"dropped", 1200},
                                              {"events_lost", 3},
                                              {"duration_ns", 2 * kSecond}}));
}

TEST_CASE("a reader that went away ends the output") {
  CollectingSink sink;
  sink.gone = true;
  CHECK_FALSE(make_drop_json_output(sink, false)->interval(table(), names()));
  CHECK_FALSE(make_drop_text_output(sink, {})->interval(table(), names()));
}
