#include "record/disguise.hpp"
#include "support/recordings.hpp"

using namespace dptrace;
using namespace dptrace::sample;
using namespace dptrace::test;

namespace {

// Everywhere, aligned or not.
bool has_kernel_address(std::string_view bytes) {
  for (std::size_t at = 0; at + 8 <= bytes.size(); ++at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (value >= 0xffff800000000000) return true;
  }
  return contains(std::string(bytes), "18446") || contains(std::string(bytes), "0xffff");
}

template <typename Record>
Result<> write(Writer& writer, const Record& record) {
  return writer.events(std::as_bytes(std::span(&record, 1)));
}

}  // namespace

TEST_CASE("a recording keeps what the rules say, under numbers that are no addresses") {
  const TemporaryFile file;
  dpt_rule record{};
  record.event = {DPT_EVENT_RULE, sizeof record, 0, 1};
  record.skb = 0xffff8881034f2e00;
  record.table = 0xffff888100000100;
  record.revision = 0xffff888100000200;
  record.path_length = 1;
  record.path[0] = 7;
  Names known = names();
  const RuleText text = {"FORWARD", 3, "-j DROP", "", true};
  known.rules[deciding_rule(record).id(7)] = text;
  auto writer = Writer::create(file.path(), known, {});
  REQUIRE(writer);
  REQUIRE(write(*writer, record));
  REQUIRE(writer->finish(Summary{}));
  CHECK_FALSE(has_kernel_address(file.content()));

  auto reader = Reader::open(file.path());
  REQUIRE(reader);
  const auto next = reader->next();
  REQUIRE(next);
  REQUIRE(*next);
  dpt_rule read{};
  REQUIRE((*next)->size() == sizeof read);
  std::memcpy(&read, (*next)->data(), sizeof read);
  const RuleText* found = reader->names().rule(deciding_rule(read).id(7));
  REQUIRE(found != nullptr);
  CHECK(*found == text);
}

TEST_CASE("a recording tells no address of the kernel, and which are the same") {
  const TemporaryFile file;
  constexpr std::uint64_t kSkb = 0xffff8881034f2e00;
  constexpr std::uint64_t kOtherSkb = 0xffff8881034f2d00;
  constexpr std::uint64_t kOfNoName = 0xffffffffc0dead00;
  auto writer = Writer::create(file.path(), names(), {});
  REQUIRE(writer);
  dpt_hop hop{};
  hop.event = {DPT_EVENT_HOP, sizeof hop, 0, 1};
  hop.skb = kSkb;
  REQUIRE(write(*writer, hop));
  dpt_drop drop{};
  drop.hop.event = {DPT_EVENT_DROP, sizeof drop, 0, 2};
  drop.hop.skb = kOtherSkb;
  drop.location = kIpError;
  drop.stack_depth = 2;
  drop.stack[0] = kIpRcv;
  drop.stack[1] = kOfNoName;
  drop.stack[2] = 0xffffffff81000000;  // left over
  REQUIRE(write(*writer, drop));
  dpt_netfilter netfilter{};
  netfilter.hop.event = {DPT_EVENT_NETFILTER, sizeof netfilter, 0, 3};
  netfilter.hop.skb = kSkb;
  netfilter.function = kNftDoChainIpv4;
  REQUIRE(write(*writer, netfilter));
  dpt_end end{};
  end.event = {DPT_EVENT_END, sizeof end, 0, 4};
  end.skb = kSkb;
  end.location = kIpError;
  REQUIRE(write(*writer, end));
  dpt_full_listener full{};
  full.event = {DPT_EVENT_FULL_LISTENER, sizeof full, 0, 5};
  full.skb = kSkb;
  REQUIRE(write(*writer, full));
  REQUIRE(writer->names(names()));
  REQUIRE(writer->finish(Summary{}));
  CHECK_FALSE(has_kernel_address(file.content()));

  auto reader = Reader::open(file.path());
  REQUIRE(reader);
  const auto read = [&](auto& record) {
    const auto next = reader->next();
    REQUIRE(next);
    REQUIRE(*next);
    REQUIRE((*next)->size() == sizeof record);
    std::memcpy(&record, (*next)->data(), sizeof record);
  };
  read(hop);
  read(drop);
  read(netfilter);
  read(end);
  read(full);
  CHECK(hop.skb == 1);
  CHECK(drop.hop.skb == 2);
  CHECK(netfilter.hop.skb == hop.skb);
  CHECK(end.skb == hop.skb);
  CHECK(full.skb == hop.skb);
  const Names& known = reader->names();
  CHECK(known.location(drop.location) == names().location(kIpError));
  CHECK(known.location(end.location) == names().location(kIpError));
  CHECK(known.location(drop.stack[0]) == names().location(kIpRcv));
  CHECK(known.function(drop.stack[1]).empty());
  CHECK(known.location(drop.stack[1]) == "an unknown function");
  CHECK(drop.stack[2] == 0);
  CHECK(known.location(netfilter.function) == names().location(kNftDoChainIpv4));
}

TEST_CASE("the memory for packets' addresses is bounded, and no number is given twice") {
  record::Disguise disguise;
  std::set<std::uint64_t> given;
  const auto skb = [](std::uint64_t i) { return 0xffff888100000000 + i * 256; };
  for (std::uint64_t i = 0; i < 3 * record::Disguise::kRemembered; ++i) {
    REQUIRE(given.insert(disguise.skb(skb(i))).second);
    REQUIRE(disguise.skb(skb(i)) == *given.rbegin());
    // What goes on being used keeps its number.
    REQUIRE(disguise.skb(skb(0)) == 1);
  }
  CHECK(disguise.skb(0) == 0);
}
