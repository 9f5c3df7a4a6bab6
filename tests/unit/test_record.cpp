#include <sys/resource.h>

#include <csignal>

#include "support/recordings.hpp"

using namespace dptrace;
using namespace dptrace::sample;
using namespace dptrace::test;

TEST_CASE("a recording gives back records, names, pods and figures") {
  const TemporaryFile file;
  Summary summary;
  summary.packets = {1, 2, 3, 4, 5};
  summary.drops = {{"NETFILTER_DROP", 3}};
  summary.events = 1000;
  summary.events_lost = 7;
  summary.forgotten = 2;
  summary.duration_ns = 99;
  summary.told_until_ns = 1234;
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
  CHECK(read.summary.told_until_ns == 1234);
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
