#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "output/drop_columns.hpp"
#include "support/sample_drops.hpp"
#include "words/style.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

constexpr std::uint64_t kValidate = 0xffffffff81a301c3;
constexpr InterfaceId kPodDevice = {4026532900, 2};

Names known() {
  Names known = names();
  known.reasons[50] = "TCP_INVALID_ACK_SEQUENCE";
  known.symbols[kValidate] = {"tcp_validate_incoming", 0xffffffff81a30000};
  known.interfaces[kPodDevice] = known.interfaces.at(kVeth);
  known.interfaces[kPodDevice].name = "eth0";
  known.netns[kPodDevice.netns] = {"", "openshift-ingress/router-default-5f7b8c6d9-x2x4z"};
  known.pods[address("10.244.1.77")] = "openshift-ingress/router-default-5f7b8c6d9-x2x4z";
  return known;
}

DropRow row(const DropKind& kind) {
  DropRow row;
  row.kind = kind;
  row.total = {123456789, 1 << 30};
  row.rate = 98765.4;
  row.last_ns = kStart;
  return row;
}

/// A row with the longest words there are, and a short one.
DropTable table() {
  DropTable table;
  table.time_ns = kStart + kSecond;
  DropKind longest = kind(50, kValidate, 58);
  longest.family = 6;
  longest.icmp_type = 135;
  longest.interface = kPodDevice;
  longest.pod = address("10.244.1.77");
  table.rows = {row(longest), row(kind())};
  return table;
}

std::vector<std::string> lines(const DropTable& table, const ColumnStyle& style,
                               const Names& names = known()) {
  std::vector<const DropRow*> rows;
  for (const auto& row : table.rows) rows.push_back(&row);
  const DropColumns columns(table, rows, names, style);
  std::vector<std::string> lines = {columns.head()};
  for (std::size_t i = 0; i < rows.size(); ++i) lines.push_back(columns.line(i));
  return lines;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a text that is too long lacks its middle") {
  CHECK(shortened("default/client", 14) == "default/client");
  CHECK(shortened("default/client", 9) == "defa…ient");
  CHECK(shortened("default/client", 8) == "defa…ent");
  CHECK(shortened("default/client", 1) == "…");
  CHECK(shortened("default/client", 0).empty());
}

TEST_CASE("where there is no terminal nothing is cut") {
  const auto shown = lines(table(), {.width = 100, .whole = true});
  CHECK(shown[0] ==
        "   PACKETS   NOW/S    BYTES  REASON                    LOCATION                     PROTO"
        "                          INTERFACE                                                     "
        "POD");
  CHECK(
      shown[1] ==
      " 123456789 98765.4     1.0G  TCP_INVALID_ACK_SEQUENCE  tcp_validate_incoming+0x1c3  "
      "ICMPv6 neighbour solicitation  eth0 in pod openshift-ingress/router-default-5f7b8c6d9-x2x4z"
      "  openshift-ingress/router-default-5f7b8c6d9-x2x4z");
}

TEST_CASE("reason and function are whole at 80 columns and more, and no line is wider") {
  const std::size_t width = GENERATE(range(78, 200));
  const bool all = GENERATE(false, true);
  CAPTURE(width, all);
  const auto shown = lines(table(), {.width = width, .all = all});
  CHECK(has(shown[1], " TCP_INVALID_ACK_SEQUENCE "));
  CHECK(has(shown[1], " tcp_validate_incoming"));
  CHECK(has(shown[2], " IP_INADDRERRORS "));
  CHECK(has(shown[2], " ip_error"));
  for (const auto& line : shown) CHECK(columns(line) <= width);
}

TEST_CASE("what is cut says so, whatever the width") {
  const std::size_t width = GENERATE(range(1, 78));
  CAPTURE(width);
  const auto shown = lines(table(), {.width = width, .all = true});
  for (const auto& line : shown) CHECK(columns(line) <= width);
  CHECK(has(shown[1], "…"));
}

TEST_CASE("at 80 columns protocols and interfaces are brief before anything is cut") {
  DropTable shown = table();
  shown.rows.erase(shown.rows.begin());
  shown.rows[0].kind.protocol = 1;
  shown.rows[0].kind.icmp_type = 8;
  shown.rows[0].kind.interface = kPodDevice;
  Names named = known();
  named.netns[kPodDevice.netns] = {"", "default/web"};
  CHECK(lines(shown, {.width = 80}, named) ==
        std::vector<std::string>{
            "   PACKETS   NOW/S  REASON          LOCATION      PROTO  INTERFACE",
            " 123456789 98765.4  IP_INADDRERRORS ip_error+0x7e ICMP/8 eth0 in default/web"});
  shown.rows[0].kind.pod = address("10.244.1.2");
  const auto line = [&](std::size_t width) { return lines(shown, {.width = width}, named)[1]; };
  CHECK(has(line(100), " ip_error+0x7e ICMP/8 eth0 in default/web default/client"));
  CHECK(has(line(80), " ip_error ICMP/8 eth0 in …ult/web defau…lient"));
}

TEST_CASE("the offset stays where a function drops in two places") {
  constexpr std::uint64_t kElsewhere = kIpError + 0x100;
  Names named = known();
  named.symbols[kElsewhere] = named.symbols.at(kIpError);
  DropTable shown = table();
  shown.rows.push_back(row(kind(9, kElsewhere)));
  const auto narrow = lines(shown, {.width = 78}, named);
  CHECK(has(narrow[1], " tcp_validate_incoming "));
  CHECK(has(narrow[2], " ip_error+0x7e "));
  CHECK(has(narrow[3], " ip_error+0x17e "));
}

TEST_CASE("wide lines also have bytes, and when a kind was last seen") {
  DropTable shown = table();
  shown.rows.erase(shown.rows.begin());
  CHECK_FALSE(has(lines(shown, {.width = 99})[0], "BYTES"));
  CHECK(has(lines(shown, {.width = 100})[0], "BYTES  REASON"));
  CHECK(has(lines(shown, {.width = 118})[0], "BYTES LAST SEEN  REASON"));
  // Words have room first.
  CHECK_FALSE(has(lines(table(), {.width = 118})[0], "LAST SEEN"));
}

TEST_CASE("a cause has its column where there is room, else the place of the location") {
  DropTable shown = table();
  shown.rows[1].explanation =
      std::make_shared<Explanation>(Explanation{"forwarding-disabled", "", {}, {}});
  const auto whole = lines(shown, {.width = 100, .whole = true});
  CHECK(has(whole[0], "REASON                    CAUSE                LOCATION  "));
  CHECK(has(whole[2], "IP_INADDRERRORS           forwarding-disabled  ip_error+0x7e  "));
  const std::size_t width = GENERATE(range(78, 220));
  CAPTURE(width);
  const auto narrow = lines(shown, {.width = width});
  CHECK(has(narrow[2], " forwarding-disabled "));
  CHECK(has(narrow[1], " tcp_validate_incoming"));
  CHECK(has(narrow[0], " CAUSE OR LOCATION ") != has(narrow[0], " CAUSE  "));
  for (const auto& line : narrow) CHECK(columns(line) <= width);
  // `unknown` says no more than its absence.
  shown.rows[1].explanation = std::make_shared<Explanation>(Explanation{"unknown", "", {}, {}});
  CHECK(lines(shown, {.width = width}) == lines(table(), {.width = width}));
}

TEST_CASE("no row needs a column for pods when none is a pod's") {
  DropTable shown = table();
  shown.rows.erase(shown.rows.begin());
  CHECK_FALSE(has(lines(shown, {.width = 100})[0], "POD"));
}
