#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "names/pods.hpp"
#include "node/netns.hpp"

using namespace dptrace;

namespace {

// What containerd's libcni leaves for a pod of the bridge plugin.
constexpr const char* kBridge =
    R"({"kind":"cniCacheV1","containerId":"0c5d2f","config":"eyJjbmlWZXJzaW9uIjoiMC4zLjEifQ==","ifName":"eth0",)"
    R"("networkName":"cbr0","cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","default"],["K8S_POD_NAME","web-0"],)"
    R"(["K8S_POD_INFRA_CONTAINER_ID","0c5d2f"]],"capabilityArgs":{"portMappings":[]},)"
    R"("result":{"cniVersion":"0.3.1","dns":{},"interfaces":[{"mac":"86:a1:bd:55:fe:2f","name":"cni0"},)"
    R"({"mac":"1a:67:a4:27:c9:7c","name":"veth4722669f"},)"
    R"({"mac":"0a:58:0a:f4:13:1c","name":"eth0","sandbox":"/var/run/netns/cni-5d6b0a4c"}],)"
    R"("ips":[{"address":"10.244.19.28/24","gateway":"10.244.19.1","interface":2,"version":"4"},)"
    R"({"address":"fd00:10:244:19::1c/64","gateway":"fd00:10:244:19::1","interface":2,"version":"6"}],)"
    R"("routes":[{"dst":"10.244.0.0/16"},{"dst":"0.0.0.0/0","gw":"10.244.19.1"}]}})";

// Calico tells no sandbox; libcni itself does since 1.2.
constexpr const char* kCalico =
    R"({"kind":"cniCacheV1","containerId":"77aa","config":"e30=","ifName":"eth0","networkName":"k8s-pod-network",)"
    R"("netns":"/run/netns/cni-77aa","cniArgs":[["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","cart"]],)"
    R"("result":{"cniVersion":"1.0.0","dns":{},"interfaces":[{"name":"cali0123456789a"}],)"
    R"("ips":[{"address":"172.16.37.193/32"}]}})";

constexpr const char* kOldVersion =
    R"({"kind":"cniCacheV1","cniArgs":[["K8S_POD_NAMESPACE","a"],["K8S_POD_NAME","b"]],)"
    R"("result":{"ip4":{"ip":"10.1.1.103/24","gateway":"10.1.1.1"},"ip6":{"ip":"fd00::103/64"}}})";

// One of every pod in containerd's cache.
constexpr const char* kLoopback =
    R"({"kind":"cniCacheV1","containerId":"0c5d2f","ifName":"lo","networkName":"cni-loopback",)"
    R"("cniArgs":[["K8S_POD_NAMESPACE","default"],["K8S_POD_NAME","web-0"]],)"
    R"("result":{"cniVersion":"1.0.0","interfaces":[{"mac":"00:00:00:00:00:00","name":"lo",)"
    R"("sandbox":"/var/run/netns/cni-5d6b0a4c"}],"ips":[{"address":"127.0.0.1/8","interface":0},)"
    R"({"address":"::1/128","interface":0}]}})";

Address address(const char* text) { return Address::parse(text).value(); }

std::string name_of(const std::string* name) { return name == nullptr ? "" : *name; }

// With the netns of this process as the pod's.
std::string result_of(const std::string& pod, const std::string& ip,
                      const std::string& netns = "/proc/self/ns/net") {
  return R"({"kind":"cniCacheV1","cniArgs":[["K8S_POD_NAMESPACE","default"],["K8S_POD_NAME",")" +
         pod + R"("]],"result":{"interfaces":[{"name":"eth0","sandbox":")" + netns +
         R"("}],"ips":[{"address":")" + ip + R"(/24"}]}})";
}

class Cache {
 public:
  Cache() {
    std::string pattern = std::filesystem::temp_directory_path() / "dptrace-pods-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
  }
  // Makes everything look as if it had been written long ago.
  void settle(int seconds_ago = 100) const {
    const auto then =
        std::filesystem::file_time_type::clock::now() - std::chrono::seconds(seconds_ago);
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      std::filesystem::last_write_time(entry.path(), then);
    }
    std::filesystem::last_write_time(path_, then);
  }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a cached result tells the pod, its addresses and its netns") {
  const auto pod = parse_cni_result(kBridge);
  REQUIRE(pod);
  CHECK(pod->name == "default/web-0");
  CHECK(pod->addresses == std::vector{address("10.244.19.28"), address("fd00:10:244:19::1c")});
  CHECK(pod->netns_path == "/var/run/netns/cni-5d6b0a4c");
}

TEST_CASE("a result without sandbox has the netns that libcni tells") {
  const auto pod = parse_cni_result(kCalico);
  REQUIRE(pod);
  CHECK(pod->name == "shop/cart");
  CHECK(pod->addresses == std::vector{address("172.16.37.193")});
  CHECK(pod->netns_path == "/run/netns/cni-77aa");
}

TEST_CASE("a result of CNI 0.2 is understood") {
  const auto pod = parse_cni_result(kOldVersion);
  REQUIRE(pod);
  CHECK(pod->addresses == std::vector{address("10.1.1.103"), address("fd00::103")});
  CHECK(pod->netns_path.empty());
}

TEST_CASE("addresses of a pod's loopback are nobody's") {
  const auto pod = parse_cni_result(kLoopback);
  REQUIRE(pod);
  CHECK(pod->addresses.empty());
}

TEST_CASE("a result that is cut short anywhere is no pod and no crash") {
  const std::string whole = kBridge;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(parse_cni_result(std::string_view(whole).substr(0, length)));
  }
}

TEST_CASE("what is not a pod's result is passed over") {
  const auto text = GENERATE(
      "", "null", "7", "[]", "{}", "\xff\xfe", R"({"kind":"cniCacheV1"})", R"({"kind":7})",
      R"({"kind":"cniCacheV2","cniArgs":[["K8S_POD_NAMESPACE","a"],["K8S_POD_NAME","b"]],"result":{}})",
      R"({"kind":"cniCacheV1","cniArgs":[["K8S_POD_NAME","b"]],"result":{}})",
      R"({"kind":"cniCacheV1","cniArgs":{"K8S_POD_NAME":"b"},"result":{}})",
      R"({"kind":"cniCacheV1","cniArgs":[["K8S_POD_NAMESPACE","a"],["K8S_POD_NAME"],7,["K8S_POD_NAME",7]],"result":{}})",
      R"({"kind":"cniCacheV1","cniArgs":[["K8S_POD_NAMESPACE","a"],["K8S_POD_NAME","b"]]})");
  CAPTURE(text);
  CHECK_FALSE(parse_cni_result(text));
}

TEST_CASE("members of unexpected types cost only what they would have told") {
  const auto result = GENERATE("7", "[]", R"({"ips":7,"interfaces":7})",
                               R"({"ips":[7,{"address":7},{"address":"nonsense"}]})",
                               R"({"interfaces":[7,{"sandbox":7}],"ip4":7,"ip6":{"ip":[]}})");
  CAPTURE(result);
  const auto pod = parse_cni_result(
      std::string(
          R"({"kind":"cniCacheV1","cniArgs":[["K8S_POD_NAMESPACE","a"],["K8S_POD_NAME","b"]],"result":)") +
      result + "}");
  REQUIRE(pod);
  CHECK(pod->addresses.empty());
  CHECK(pod->netns_path.empty());
}

TEST_CASE("pods are found by address and by netns, until their files are gone") {
  const Cache cache;
  cache.write("cbr0-1-eth0", result_of("web-0", "10.244.19.28"));
  cache.write("cbr0-2-eth0", "{\"kind\":");
  Pods pods({cache.path()});
  CHECK(pods.by_address(address("10.244.19.28")) == nullptr);
  REQUIRE(pods.refresh());
  CHECK(name_of(pods.by_address(address("10.244.19.28"))) == "default/web-0");
  CHECK(name_of(pods.by_netns(current_netns())) == "default/web-0");
  CHECK(pods.by_address(address("10.244.19.29")) == nullptr);
  CHECK(pods.by_netns(1) == nullptr);

  std::filesystem::remove(cache.file("cbr0-1-eth0"));
  CHECK(pods.refresh());
  CHECK(pods.addresses().empty());
  CHECK(pods.netns().empty());
}

TEST_CASE("nothing is read while the directory stays as it is") {
  const Cache cache;
  cache.write("a", result_of("web-0", "10.244.19.28"));
  cache.settle();
  Pods pods({cache.path()});
  CHECK(pods.refresh());
  CHECK_FALSE(pods.refresh());
  cache.write("b", result_of("web-1", "10.244.19.29"));
  CHECK(pods.refresh());
  CHECK(pods.addresses().size() == 2);
  CHECK_FALSE(pods.refresh());
}

TEST_CASE("a file that was met half-written is read again, though its directory stays as it is") {
  const Cache cache;
  const auto text = result_of("web-0", "10.244.19.28");
  cache.write("a", text.substr(0, text.size() / 2));
  Pods pods({cache.path()});
  CHECK_FALSE(pods.refresh());
  cache.write("a", text);
  CHECK(pods.refresh());
  CHECK(pods.addresses().size() == 1);
}

TEST_CASE("of two files for an address the one with a netns counts, then the later one") {
  const Cache cache;
  cache.write("a-live", result_of("live", "10.0.0.1"));
  cache.settle(300);
  cache.write("b-left-behind", result_of("gone", "10.0.0.1", "/nonexistent"));
  cache.write("b-left-behind-too", result_of("older", "10.0.0.2", "/nonexistent"));
  cache.settle(200);
  cache.write("a-later", result_of("later", "10.0.0.2", "/nonexistent"));
  Pods pods({cache.path()});
  REQUIRE(pods.refresh());
  CHECK(name_of(pods.by_address(address("10.0.0.1"))) == "default/live");
  CHECK(name_of(pods.by_address(address("10.0.0.2"))) == "default/later");
}

TEST_CASE("a cache that is not there has no pods, until it is") {
  const Cache cache;
  const auto later = cache.file("results");
  Pods pods({later, cache.file("never")});
  CHECK_FALSE(pods.refresh());
  CHECK_FALSE(pods.refresh());
  std::filesystem::create_directory(later);
  std::ofstream(later + "/a") << result_of("web-0", "10.244.19.28");
  CHECK(pods.refresh());
  CHECK(pods.addresses().size() == 1);
  std::filesystem::remove_all(later);
  CHECK(pods.refresh());
  CHECK(pods.addresses().empty());
}

TEST_CASE("what is no file of the cache's own is not read, and holds nobody up") {
  Cache cache;
  const std::string path = cache.file("fifo");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  std::filesystem::create_symlink("/proc/kmsg", cache.file("log"));
  std::filesystem::create_symlink("/dev/zero", cache.file("zero"));
  std::filesystem::create_directory(cache.file("directory"));
  cache.write("depth", std::string(1 << 19, '['));
  cache.write("width", '[' + std::string(1 << 19, ','));
  cache.write("length", std::string((1 << 20) + 1, ' ') + kBridge);
  cache.write("good", kBridge);
  std::filesystem::create_symlink(cache.file("good"), cache.file("link"));
  Pods pods({cache.path()});
  CHECK(pods.refresh());
  CHECK(pods.addresses().size() == 2);
  CHECK(name_of(pods.by_address(address("10.244.19.28"))) == "default/web-0");
}

TEST_CASE("a path to a netns leads to where those are") {
  for (const auto* path : {"/mnt/slow/netns", "/run/../mnt/netns", "run/netns/a", "/proc"}) {
    const auto pod = parse_cni_result(result_of("web-1", "10.0.0.1", path));
    REQUIRE(pod);
    CHECK(pod->netns_path.empty());
  }
}
