#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

#include <catch2/catch.hpp>
#include <initializer_list>
#include <optional>

#include "verdict/rule_hook.hpp"

using namespace dptrace;

namespace {

struct Stack {
  Names names;
  Drop drop;

  Stack(std::initializer_list<const char*> functions) {
    std::uint64_t address = 0x1000;
    for (const char* function : functions) {
      address += 0x100;
      names.symbols[address] = {function, address - 0x40};
      drop.stack.push_back(address);
    }
    drop.location = drop.stack.front();
  }
  std::optional<RuleHook> hook() const { return rule_hook_of(drop, names); }
};

}  // namespace

TEST_CASE("a stack tells at which hook a rule dropped the packet") {
  const auto input =
      Stack{"nft_do_chain", "nft_do_chain_ipv4", "nf_hook_slow", "ip_local_deliver"}.hook();
  REQUIRE(input);
  CHECK(input->function == "nft_do_chain_ipv4");
  CHECK(input->hook == NF_INET_LOCAL_IN);
  const auto forward =
      Stack{"nft_do_chain", "nft_do_chain_inet", "nf_hook_slow", "br_nf_forward_ip.part.0"}.hook();
  REQUIRE(forward);
  CHECK(forward->hook == NF_INET_FORWARD);
}

TEST_CASE("the bridge's own hooks are told from those of IP") {
  const auto own =
      Stack{"nft_do_chain", "nft_do_chain_bridge", "nf_hook_slow", "__br_forward"}.hook();
  REQUIRE(own);
  CHECK(own->hook == NF_BR_FORWARD);
  CHECK_FALSE(Stack{"nft_do_chain", "nft_do_chain_ipv4", "nf_hook_slow", "__br_forward"}.hook());
}

TEST_CASE("nothing is said of stacks that are not known") {
  CHECK_FALSE(Stack{"nft_do_chain", "nft_do_chain_ipv4", "nf_hook_slow", "somebody_else"}.hook());
  CHECK_FALSE(Stack{"nft_do_chain", "nft_nat_do_chain", "nf_nat_inet_fn", "nf_hook_slow"}.hook());
  CHECK_FALSE(Stack{"tcp_v4_rcv", "ip_local_deliver", "nf_hook_slow", "ip_rcv"}.hook());
  CHECK_FALSE(Stack{"nft_do_chain", "nft_do_chain_ipv4"}.hook());
}
