#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "node/kernel_btf.hpp"

using namespace dptrace;

namespace {

using Values = std::vector<std::pair<const char*, std::uint32_t>>;

const Values kCore = {
    {"SKB_NOT_DROPPED_YET", 0},           {"SKB_CONSUMED", 1},
    {"SKB_DROP_REASON_NOT_SPECIFIED", 2}, {"SKB_DROP_REASON_NO_SOCKET", 3},
    {"SKB_DROP_REASON_MAX", 4},           {"SKB_DROP_REASON_SUBSYS_MASK", 0xffff0000}};
const Values kOpenvswitch = {{"__OVS_DROP_REASON", 0x20000},
                             {"OVS_DROP_LAST_ACTION", 0x20001},
                             {"OVS_DROP_EXPLICIT", 0x20003},
                             {"OVS_DROP_MAX", 0x20004}};

void add_enumeration(btf* types, const char* name, const Values& values) {
  REQUIRE(btf__add_enum(types, name, 4) > 0);
  for (const auto& [value_name, value] : values) {
    REQUIRE(btf__add_enum_value(types, value_name, static_cast<std::int32_t>(value)) == 0);
  }
}

void add_enumeration64(btf* types, const char* name, const Values& values) {
  REQUIRE(btf__add_enum64(types, name, 8, false) > 0);
  for (const auto& [value_name, value] : values) {
    REQUIRE(btf__add_enum64_value(types, value_name, value) == 0);
  }
}

int add_prototype(btf* types, int parameters) {
  const int prototype = btf__add_func_proto(types, 0);
  for (int i = 0; i < parameters; ++i) REQUIRE(btf__add_func_param(types, "", 0) == 0);
  return prototype;
}

void add_tracepoint(btf* types, const char* name, int parameters) {
  const int pointer = btf__add_ptr(types, add_prototype(types, parameters));
  REQUIRE(btf__add_typedef(types, name, pointer) > 0);
}

void add_function(btf* types, const char* name) {
  REQUIRE(btf__add_func(types, name, BTF_FUNC_STATIC, add_prototype(types, 1)) > 0);
}

Btf empty() { return Btf(btf__new_empty()); }

}  // namespace

TEST_CASE("drop reasons have the kernel's names without prefix, and no bounds") {
  auto vmlinux = empty();
  add_enumeration(vmlinux.get(), "something_else", {{"SKB_DROP_REASON_WRONG", 3}});
  add_enumeration(vmlinux.get(), "skb_drop_reason", kCore);
  const auto reasons = KernelBtf(std::move(vmlinux), {}).drop_reasons();
  CHECK(reasons ==
        std::map<std::uint32_t, std::string>{
            {0, "NOT_DROPPED_YET"}, {1, "CONSUMED"}, {2, "NOT_SPECIFIED"}, {3, "NO_SOCKET"}});
}

TEST_CASE("drop reasons are read from a 64-bit enumeration too") {
  auto vmlinux = empty();
  add_enumeration64(vmlinux.get(), "skb_drop_reason", kCore);
  const auto reasons = KernelBtf(std::move(vmlinux), {}).drop_reasons();
  CHECK(reasons.size() == 4);
  CHECK(reasons.at(3) == "NO_SOCKET");
}

TEST_CASE("a forward declaration before the enumeration does not hide it") {
  auto vmlinux = empty();
  REQUIRE(btf__add_enum(vmlinux.get(), "skb_drop_reason", 4) > 0);
  add_enumeration(vmlinux.get(), "skb_drop_reason", kCore);
  CHECK(KernelBtf(std::move(vmlinux), {}).drop_reasons().size() == 4);
}

TEST_CASE("a kernel before 5.17 has no drop reasons") {
  auto vmlinux = empty();
  add_enumeration(vmlinux.get(), "something_else", {{"ONE", 1}});
  CHECK(KernelBtf(std::move(vmlinux), {}).drop_reasons().empty());
}

TEST_CASE("subsystems' reasons come from their modules") {
  auto vmlinux = empty();
  add_enumeration(vmlinux.get(), "skb_drop_reason", kCore);
  Btf openvswitch(btf__new_empty_split(vmlinux.get()));
  add_enumeration(openvswitch.get(), "ovs_drop_reason", kOpenvswitch);
  Btf mac80211(btf__new_empty_split(vmlinux.get()));
  add_enumeration(mac80211.get(), "___mac80211_drop_reason",
                  {{"___RX_CONTINUE", 1}, {"___RX_DROP_U_MIC_FAIL", 0x10001}});
  std::vector<KernelBtf::Module> modules;
  modules.push_back({"mac80211", std::move(mac80211)});
  modules.push_back({"openvswitch", std::move(openvswitch)});

  const auto reasons = KernelBtf(std::move(vmlinux), std::move(modules)).drop_reasons();
  CHECK(reasons.size() == 4 + 3);
  CHECK(reasons.at(1) == "CONSUMED");
  CHECK(reasons.at(0x20001) == "OVS_DROP_LAST_ACTION");
  CHECK(reasons.at(0x20003) == "OVS_DROP_EXPLICIT");
  CHECK(reasons.at(0x10001) == "RX_DROP_U_MIC_FAIL");
}

TEST_CASE("subsystems' reasons are found where the subsystem is built in") {
  auto vmlinux = empty();
  add_enumeration(vmlinux.get(), "skb_drop_reason", kCore);
  add_enumeration(vmlinux.get(), "ovs_drop_reason", kOpenvswitch);
  add_enumeration(vmlinux.get(), "qdisc_drop_reason",
                  {{"__QDISC_DROP_REASON", 0x30000}, {"QDISC_DROP_OVERLIMIT", 0x30001}});
  const auto reasons = KernelBtf(std::move(vmlinux), {}).drop_reasons();
  CHECK(reasons.at(0x20003) == "OVS_DROP_EXPLICIT");
  CHECK(reasons.at(0x30001) == "QDISC_DROP_OVERLIMIT");
}

TEST_CASE("a tracepoint's arguments are counted without the probe's own") {
  auto vmlinux = empty();
  add_tracepoint(vmlinux.get(), "btf_trace_kfree_skb", 4);
  add_tracepoint(vmlinux.get(), "btf_trace_nothing", 1);
  REQUIRE(btf__add_typedef(vmlinux.get(), "btf_trace_broken", 0) > 0);
  const KernelBtf kernel(std::move(vmlinux), {});
  CHECK(kernel.tracepoint_arguments("kfree_skb") == 3);
  CHECK(kernel.tracepoint_arguments("nothing") == 0);
  CHECK(kernel.tracepoint_arguments("consume_skb") == -1);
  CHECK(kernel.tracepoint_arguments("broken") == -1);
}

TEST_CASE("enumerators tell what the kernel has") {
  auto vmlinux = empty();
  add_enumeration(vmlinux.get(), "bpf_attach_type", {{"BPF_TCX_INGRESS", 46}});
  const KernelBtf kernel(std::move(vmlinux), {});
  CHECK(kernel.has_enumerator("bpf_attach_type", "BPF_TCX_INGRESS"));
  CHECK_FALSE(kernel.has_enumerator("bpf_attach_type", "BPF_TCX"));
  CHECK_FALSE(kernel.has_enumerator("no_such_type", "BPF_TCX_INGRESS"));
}

TEST_CASE("a function is looked for in the kernel and then in its modules") {
  auto vmlinux = empty();
  add_function(vmlinux.get(), "ip_forward");
  add_enumeration(vmlinux.get(), "nft_do_chain", {{"NOT_A_FUNCTION", 1}});
  Btf nf_tables(btf__new_empty_split(vmlinux.get()));
  add_function(nf_tables.get(), "nft_do_chain");
  std::vector<KernelBtf::Module> modules;
  modules.push_back({"nf_tables", std::move(nf_tables)});
  const KernelBtf kernel(std::move(vmlinux), std::move(modules));

  CHECK(kernel.has_function("ip_forward"));
  CHECK_FALSE(kernel.has_function("nft_do_chain"));
  CHECK(kernel.has_function_in_module("nf_tables", "nft_do_chain"));
  CHECK_FALSE(kernel.has_function_in_module("nf_tables", "ip_forward"));
  CHECK_FALSE(kernel.has_function_in_module("no_such_module", "ip_forward"));
  REQUIRE(kernel.find_function("ip_forward"));
  CHECK(kernel.find_function("ip_forward")->module.empty());
  REQUIRE(kernel.find_function("nft_do_chain"));
  CHECK(kernel.find_function("nft_do_chain")->module == "nf_tables");
  CHECK_FALSE(kernel.find_function("no_such_function"));
}
