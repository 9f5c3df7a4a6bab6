#include <linux/capability.h>

#include <catch2/catch.hpp>

#include "node/capabilities.hpp"

using namespace dptrace;

TEST_CASE("root has every capability") {
  const auto root =
      Capabilities::parse("Name:\tdptrace\nCapPrm:\t0\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n");
  REQUIRE(root);
  CHECK(root->missing().empty());
  CHECK(root->missing_names().empty());
}

TEST_CASE("missing capabilities are named") {
  const auto nobody = Capabilities::parse("CapEff:\t0000000000000000\n").value();
  CHECK(nobody.missing_names() ==
        "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYSLOG");
  // CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN.
  const auto enough = Capabilities::parse("CapEff:\t000000c000001000\n").value();
  CHECK(enough.missing_names() == "CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYSLOG");
  for (const auto& capability : enough.missing()) CHECK_FALSE(capability.required);
}

TEST_CASE("CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON") {
  const auto admin = Capabilities::parse("CapEff:\t0000000000200000\n").value();
  CHECK(admin.has(CAP_BPF));
  CHECK(admin.has(CAP_PERFMON));
  CHECK_FALSE(admin.has(CAP_NET_ADMIN));
  CHECK(admin.missing_names() == "CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYSLOG");
}

TEST_CASE("a status without capabilities is an error") {
  CHECK_FALSE(Capabilities::parse(""));
  CHECK_FALSE(Capabilities::parse("CapEff:\tnonsense\n"));
}
