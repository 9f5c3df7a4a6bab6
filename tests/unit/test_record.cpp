#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "record/disguise.hpp"
#include "record/payload.hpp"
#include "record/reader.hpp"
#include "record/writer.hpp"
#include "support/sample_packets.hpp"

using namespace dptrace;
using namespace dptrace::sample;
using record::Reader;
using record::Writer;

namespace {

/// A file name that is gone with the test.
class TemporaryFile {
 public:
  TemporaryFile() {
    std::string name = (std::filesystem::temp_directory_path() / "dptrace-test-XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    REQUIRE(descriptor >= 0);
    ::close(descriptor);
    path_ = name;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void set_content(std::string_view content) const {
    std::ofstream file(path_, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
  }

 private:
  std::string path_;
};

dpt_device device(std::uint32_t number) {
  dpt_device device{};
  device.event.kind = DPT_EVENT_DEVICE;
  device.event.size = sizeof device;
  device.event.time_ns = number;
  device.ifindex = number;
  return device;
}

Result<> add(Writer& writer, std::uint32_t number) {
  const dpt_device record = device(number);
  return writer.events(std::as_bytes(std::span(&record, 1)));
}

/// What a reader gave before its end or its error.
struct Read {
  std::vector<std::uint32_t> numbers;
  Names names;
  std::vector<Address> pods;
  Summary summary;
  std::string error;
};

Read read_all(const std::string& path) {
  Read read;
  auto reader = Reader::open(path);
  if (!reader) {
    read.error = reader.error().message;
    return read;
  }
  while (true) {
    const auto record = reader->next();
    if (!record) read.error = record.error().message;
    if (!record || !*record) break;
    dpt_device device{};
    REQUIRE((*record)->size() == sizeof device);
    std::memcpy(&device, (*record)->data(), sizeof device);
    read.numbers.push_back(device.ifindex);
  }
  CHECK(reader->records() == read.numbers.size());
  read.names = reader->names();
  read.pods = reader->pods();
  read.summary = reader->summary();
  return read;
}

/// Of all addresses that have a name.
std::set<std::string> locations(const Names& names) {
  std::set<std::string> all;
  for (const auto& [address, symbol] : names.symbols) all.insert(names.location(address));
  return all;
}

bool same(const Names& a, const Names& b) {
  return a.node_name == b.node_name && a.kernel_release == b.kernel_release &&
         a.wall_clock_offset_ns == b.wall_clock_offset_ns && a.home_netns == b.home_netns &&
         a.interfaces == b.interfaces && a.netns == b.netns && a.pods == b.pods &&
         a.reasons == b.reasons && locations(a) == locations(b);
}

/// Two chunks of events, with a name between them.
void write_small(const std::string& path) {
  Names names;
  names.node_name = "worker-1";
  auto writer = Writer::create(path, names, {address("10.244.1.2")});
  REQUIRE(writer);
  REQUIRE(add(*writer, 1));
  REQUIRE(writer->flush());
  names.reasons[9] = "IP_INADDRERRORS";
  REQUIRE(writer->names(names));
  REQUIRE(add(*writer, 2));
  REQUIRE(add(*writer, 3));
  REQUIRE(writer->finish(Summary{}));
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a recording gives back records, names, pods and figures") {
  const TemporaryFile file;
  Summary summary;
  summary.packets = {1, 2, 3, 4, 5};
  summary.drops = {{"NETFILTER_DROP", 3}};
  summary.events = 1000;
  summary.events_lost = 7;
  summary.forgotten = 2;
  summary.duration_ns = 99;
  auto writer = Writer::create(file.path(), names(), {address("10.244.1.2"), address("fd00::1")});
  REQUIRE(writer);
  // More than one chunk's worth.
  for (std::uint32_t i = 0; i < 5000; ++i) {
    REQUIRE(add(*writer, i));
    if (i % 100 == 0) REQUIRE(writer->names(names()));
  }
  REQUIRE(writer->finish(summary));

  const Read read = read_all(file.path());
  CHECK(read.error.empty());
  CHECK(read.numbers.size() == 5000);
  CHECK(read.numbers.back() == 4999);
  CHECK(same(read.names, names()));
  CHECK(read.pods == std::vector<Address>{address("10.244.1.2"), address("fd00::1")});
  CHECK(read.summary.packets == summary.packets);
  CHECK(read.summary.drops == summary.drops);
  CHECK(read.summary.events_lost == 7);
  CHECK(read.summary.forgotten == 2);
  CHECK(read.summary.duration_ns == 99);
}

TEST_CASE("a recording without any record is a recording") {
  const TemporaryFile file;
  REQUIRE(Writer::create(file.path(), Names{}, {})->finish(Summary{}));
  CHECK(read_all(file.path()).error.empty());
}

TEST_CASE("what follows the end of a recording is noticed") {
  const TemporaryFile file;
  auto writer = Writer::create(file.path(), names(), {});
  REQUIRE(writer);
  REQUIRE(add(*writer, 1));
  REQUIRE(writer->finish(Summary{}));
  std::ofstream(file.path(), std::ios::app) << "x";
  const Read read = read_all(file.path());
  CHECK(read.numbers == std::vector<std::uint32_t>{1});
  CHECK(contains(read.error, "there is more after its end"));
}

TEST_CASE("a name is there before the record that waited for it") {
  const TemporaryFile file;
  Names growing;
  auto writer = Writer::create(file.path(), growing, {});
  REQUIRE(writer);
  REQUIRE(add(*writer, 1));
  growing.interfaces[kVeth] = names().interfaces[kVeth];
  REQUIRE(writer->names(growing));
  REQUIRE(writer->flush());
  growing.interfaces[kVeth].name = "renamed";
  REQUIRE(writer->names(growing));
  REQUIRE(add(*writer, 2));
  REQUIRE(writer->finish(Summary{}));

  auto reader = Reader::open(file.path());
  REQUIRE(reader);
  REQUIRE(reader->next());
  REQUIRE(reader->names().interface(kVeth) != nullptr);
  CHECK(reader->names().interface(kVeth)->name == "veth4722669f");
  REQUIRE(reader->next());
  CHECK(reader->names().interface(kVeth)->name == "renamed");
}

TEST_CASE("names that were written are not written again") {
  const TemporaryFile file;
  auto writer = Writer::create(file.path(), names(), {});
  REQUIRE(writer);
  const auto size = std::filesystem::file_size(file.path());
  REQUIRE(writer->names(names()));
  CHECK(std::filesystem::file_size(file.path()) == size);
}

TEST_CASE("a recording cut off anywhere gives what is whole, then the error") {
  const TemporaryFile file;
  write_small(file.path());
  const std::string whole = file.content();
  const std::vector<std::uint32_t> all = {1, 2, 3};
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    file.set_content(std::string_view(whole).substr(0, size));
    const Read read = read_all(file.path());
    REQUIRE(contains(read.error, "reading " + file.path()));
    if (size >= 8) {
      REQUIRE(contains(read.error, "cut off at byte " + std::to_string(size) + " ("));
      REQUIRE(contains(read.error, std::to_string(read.numbers.size()) + " record"));
    }
    REQUIRE(std::equal(read.numbers.begin(), read.numbers.end(), all.begin()));
  }
  file.set_content(std::string_view(whole).substr(0, whole.size() - 1));
  CHECK(read_all(file.path()).numbers == all);
}

TEST_CASE("a flipped bit never passes unnoticed") {
  const TemporaryFile file;
  write_small(file.path());
  const std::string whole = file.content();
  const std::vector<std::uint32_t> all = {1, 2, 3};
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    CAPTURE(bit);
    // A newer minor version is read, being of the same major.
    if (bit / 8 == 14 || bit / 8 == 15) continue;
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    file.set_content(damaged);
    const Read read = read_all(file.path());
    REQUIRE_FALSE(read.error.empty());
    REQUIRE(std::equal(read.numbers.begin(), read.numbers.end(), all.begin()));
  }
}

TEST_CASE("bytes that are no recording are called so") {
  const TemporaryFile file;
  for (const char* content : {"", "DPTRACE", "\xd4\xc3\xb2\xa1pcap, rather"}) {
    file.set_content(content);
    CHECK(contains(read_all(file.path()).error, "this is not a recording of dptrace"));
  }
  CHECK(contains(read_all("/nonexistent/file").error,
                 "reading /nonexistent/file: No such file or directory"));
}

TEST_CASE("other byte orders and newer formats are refused by name") {
  const TemporaryFile file;
  record::FileHeader header;
  const auto refuse = [&] {
    file.set_content({reinterpret_cast<const char*>(&header), sizeof header});
    return read_all(file.path()).error;
  };
  header.byte_order = record::kOtherByteOrder;
  CHECK(contains(refuse(), "other byte order"));
  header.byte_order = record::kByteOrderMark;
  header.major = record::kMajor + 1;
  CHECK(contains(refuse(), "recording format 3.0, and this dptrace reads 2.x"));
}

TEST_CASE("a chunk of a newer minor version is passed over") {
  const TemporaryFile file;
  write_small(file.path());
  std::string content = file.content();
  const std::string_view payload = "unheard of";
  record::ChunkHeader header;
  header.type = 77;
  header.length = static_cast<std::uint32_t>(payload.size());
  header.crc = record::checksum(header.type, header.length, std::as_bytes(std::span(payload)));
  std::string chunk(reinterpret_cast<const char*>(&header), sizeof header);
  chunk += payload;
  // Behind the meta data, whose length stands in its header.
  record::ChunkHeader meta;
  std::memcpy(&meta, content.data() + sizeof(record::FileHeader), sizeof meta);
  content.insert(sizeof(record::FileHeader) + sizeof meta + meta.length, chunk);
  file.set_content(content);
  const Read read = read_all(file.path());
  CHECK(read.error.empty());
  CHECK(read.numbers == std::vector<std::uint32_t>{1, 2, 3});
}

TEST_CASE("a record whose length is wrong ends the reading") {
  const TemporaryFile file;
  auto writer = Writer::create(file.path(), Names{}, {});
  REQUIRE(writer);
  REQUIRE(add(*writer, 1));
  dpt_device bad = device(2);
  bad.event.size = static_cast<__u16>(GENERATE(0, 15, 1000));
  REQUIRE(writer->events(std::as_bytes(std::span(&bad, 1))));
  REQUIRE(writer->finish(Summary{}));
  const Read read = read_all(file.path());
  CHECK(read.numbers == std::vector<std::uint32_t>{1});
  CHECK(contains(read.error, "a record's length is wrong (1 record could be read)"));
}

TEST_CASE("a full disk is reported with what to do") {
  if (::access("/dev/full", W_OK) != 0) return;
  const auto writer = Writer::create("/dev/full", names(), {});
  REQUIRE_FALSE(writer);
  CHECK(writer.error().message ==
        "writing /dev/full: No space left on device (free some space, or write elsewhere)");
}

TEST_CASE("a file that grows too large is reported, and again at the end") {
  const TemporaryFile file;
  auto writer = Writer::create(file.path(), Names{}, {});
  REQUIRE(writer);
  REQUIRE(add(*writer, 1));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = std::filesystem::file_size(file.path());
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto first = writer->flush();
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(first);
  CHECK(first.error().message == "writing " + file.path() + ": File too large");
  const auto last = writer->finish(Summary{});
  REQUIRE_FALSE(last);
  CHECK(last.error().message == first.error().message);
}

TEST_CASE("a file that cannot be made is named") {
  const auto writer = Writer::create("/nonexistent/file", names(), {});
  REQUIRE_FALSE(writer);
  CHECK(writer.error().message == "writing /nonexistent/file: No such file or directory");
}

TEST_CASE("a recording that was not finished is seen to be cut off") {
  const TemporaryFile file;
  {
    auto writer = Writer::create(file.path(), names(), {});
    REQUIRE(writer);
    REQUIRE(add(*writer, 1));
    REQUIRE(writer->flush());
  }
  const Read read = read_all(file.path());
  CHECK(read.numbers == std::vector<std::uint32_t>{1});
  CHECK(contains(read.error, "cut off"));
}

TEST_CASE("only its owner may read a recording, and what happened to another mode is said") {
  const TemporaryFile file;
  namespace fs = std::filesystem;
  const auto mode = [&] { return fs::status(file.path()).permissions(); };
  constexpr auto kOwner = fs::perms::owner_read | fs::perms::owner_write;
  SECTION("made anew") {
    fs::remove(file.path());
    auto writer = Writer::create(file.path(), Names{}, {});
    REQUIRE(writer);
    CHECK(mode() == kOwner);
    CHECK_FALSE(writer->take_warning());
  }
  SECTION("there already, for others to read") {
    fs::permissions(file.path(), kOwner | fs::perms::group_read | fs::perms::others_read);
    auto writer = Writer::create(file.path(), Names{}, {});
    REQUIRE(writer);
    CHECK(mode() == kOwner);
    const auto warning = writer->take_warning();
    REQUIRE(warning);
    CHECK(contains(*warning, file.path() + " could be read by others (mode 0644) and now cannot"));
    CHECK_FALSE(writer->take_warning());
  }
  SECTION("there already, for nobody else") {
    fs::permissions(file.path(), kOwner);
    auto writer = Writer::create(file.path(), Names{}, {});
    REQUIRE(writer);
    CHECK_FALSE(writer->take_warning());
  }
}

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
  CHECK(hop.skb == 1);
  CHECK(drop.hop.skb == 2);
  CHECK(netfilter.hop.skb == hop.skb);
  CHECK(end.skb == hop.skb);
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

TEST_CASE("who had a number or an address before is kept by a recording") {
  const TemporaryFile file;
  Names now = names();
  auto writer = Writer::create(file.path(), now, {});
  REQUIRE(writer);
  now.begin_netns(kClient, 100);
  now.netns[kClient] = {"", "default/next"};
  now.begin_pod(address("10.244.1.2"), "default/next", 100);
  REQUIRE(writer->names(now));
  // Again, and nothing but that.
  now.begin_netns(kClient, 200);
  REQUIRE(writer->names(now));
  REQUIRE(add(*writer, 1));
  REQUIRE(writer->finish(Summary{}));
  const Read read = read_all(file.path());
  CHECK(read.error.empty());
  CHECK(read.names.pod_of_netns(kClient, 99) == "default/client");
  CHECK(read.names.pod_of_netns(kClient, 100) == "default/next");
  CHECK(read.names.pod_of_netns(kClient, 200).empty());
  REQUIRE(read.names.interface(kClientEth0, 99) != nullptr);
  CHECK(read.names.interface(kClientEth0, 99)->name == "eth0");
  CHECK(read.names.interface(kClientEth0, 100) == nullptr);
  CHECK(read.names.pod_of_address(address("10.244.1.2"), 99) == "default/client");
  CHECK(read.names.pod_of_address(address("10.244.1.2"), 100) == "default/next");
}

TEST_CASE("names from a recording are cleaned, and numbers beyond their type are damage") {
  const auto read = [](std::string_view payload) {
    Names names;
    REQUIRE(record::read_names(payload, names));
    return names;
  };
  const auto names = read(
      R"({"node_name":"a\u001b[2Jb","interfaces":[{"netns":1,"index":2,"name":"eth\u009b0"}],)"
      R"("netns":[{"inode":7,"name":"\u202ex","pod":"d/\u0000p"}],"pods":{"10.0.0.1":"\u000a"},)"
      R"("reasons":[{"code":1,"name":"\u0007"}],"symbols":[{"address":5,"name":"f\u001b","start":4}]})");
  CHECK(names.node_name == "a\xef\xbf\xbd[2Jb");
  CHECK(names.interface({1, 2})->name ==
        "eth\xef\xbf\xbd"
        "0");
  CHECK(names.netns.at(7).name == "\xef\xbf\xbdx");
  CHECK(names.netns.at(7).pod == "d/\xef\xbf\xbdp");
  CHECK(names.pods.begin()->second == "\xef\xbf\xbd");
  CHECK(names.reasons.at(1) == "\xef\xbf\xbd");
  CHECK(names.function(5) == "f\xef\xbf\xbd");

  const auto* bad = GENERATE(
      R"({"home_netns":4294967296})", R"({"home_netns":-1})", R"({"home_netns":1.5})",
      R"({"home_netns":1e300})", R"({"home_netns":"1"})", R"({"wall_clock_offset_ns":1e30})",
      R"({"wall_clock_offset_ns":9223372036854775807})", R"({"node_name":7})",
      R"({"interfaces":{}})", R"({"interfaces":[7]})", R"({"interfaces":[{"index":99999999999}]})",
      R"({"netns":[{}]})", R"({"netns":[{"inode":1,"is_node":1}]})", R"({"pods":[]})",
      R"({"pods":{"10.0.0.1":7}})", R"({"reasons":[{"code":1}]})",
      R"({"former_netns":[{"inode":1}]})", R"({"former_pods":[{"address":"x","until_ns":1}]})",
      R"([])", R"(7)", "{");
  CAPTURE(bad);
  Names into;
  CHECK_FALSE(record::read_names(bad, into));
}

TEST_CASE("a payload that is all brackets or commas costs no memory") {
  Names into;
  CHECK_FALSE(record::read_names(std::string(1U << 20, '['), into));
  std::string flat = "{\"x\":[0";
  for (int i = 0; i < 1'000'000; ++i) flat += ",0";
  CHECK_FALSE(record::read_names(flat + "]}", into));
}
