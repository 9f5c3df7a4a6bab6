#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "node/in_netns.hpp"
#include "node/netns.hpp"

using namespace dptrace;
using namespace std::chrono_literals;

namespace {

class Directory {
 public:
  Directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "dptrace-netns-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a netns is known by its inode number, and other files are none") {
  const auto own = current_netns();
  CHECK(own != 0);
  CHECK(netns_of_file("/proc/self/ns/net") == own);
  CHECK(netns_of_file("/proc/self/status") == 0);
  CHECK(netns_of_file("/nonexistent") == 0);
  CHECK(netns_of_file("") == 0);
}

TEST_CASE("a name is preferred to a process, and files that are left over are no names") {
  const Directory named;
  const Directory proc;
  std::filesystem::create_directories(proc.path() + "/42/ns");
  std::filesystem::create_directories(proc.path() + "/self");
  std::filesystem::create_symlink("/proc/self/ns/net", proc.path() + "/42/ns/net");
  NetnsFinder by_process({{named.path(), "/nonexistent"}, proc.path()});
  const auto process = by_process.find(current_netns());
  REQUIRE(process);
  CHECK(process->name.empty());
  CHECK(process->path == proc.path() + "/42/ns/net");

  std::filesystem::create_symlink("/proc/self/status", named.path() + "/left-over");
  std::filesystem::create_symlink("/proc/self/ns/net", named.path() + "/mine");
  NetnsFinder by_name({{named.path()}, proc.path()});
  const auto name = by_name.find(current_netns());
  REQUIRE(name);
  CHECK(name->name == "mine");
  CHECK(by_name.open(current_netns()));
}

TEST_CASE("an inode that is not found is looked for again only after a pause") {
  const Directory named;
  const Directory proc;
  NetnsFinder patient({{named.path()}, proc.path()}, std::chrono::hours(1));
  NetnsFinder eager({{named.path()}, proc.path()}, std::chrono::milliseconds(0));
  CHECK_FALSE(patient.find(current_netns()));
  CHECK_FALSE(eager.find(current_netns()));
  std::filesystem::create_symlink("/proc/self/ns/net", named.path() + "/mine");
  CHECK_FALSE(patient.find(current_netns()));
  CHECK(eager.find(current_netns()));
}

TEST_CASE("a place whose netns is gone is forgotten") {
  const Directory named;
  const Directory proc;
  const auto file = named.path() + "/mine";
  std::filesystem::create_symlink("/proc/self/ns/net", file);
  NetnsFinder finder({{named.path()}, proc.path()}, std::chrono::hours(1));
  CHECK(finder.find(current_netns()));
  std::filesystem::remove(file);
  CHECK_FALSE(finder.find(current_netns()));
  const auto opened = finder.open(current_netns());
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().message, Catch::Contains(std::to_string(current_netns())));
}

TEST_CASE("what cannot be entered is an error, and nothing is run") {
  bool was_run = false;
  const auto result = in_netns(OwnedFd(), 10s, [&]() -> Result<int> {
    was_run = true;
    return 1;
  });
  CHECK_FALSE(result);
  CHECK_FALSE(was_run);
}

TEST_CASE("no answer of the kernel is waited for longer than bearable, and few are asked for") {
  struct Gate {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
    std::atomic<int> passed = 0;
  };
  const auto gate = std::make_shared<Gate>();
  const auto wait_there = [gate]() -> Result<int> {
    std::unique_lock lock(gate->mutex);
    gate->opened.wait(lock, [&] { return gate->open; });
    return ++gate->passed;
  };
  for (int i = 0; i < NetnsVisit::kMost; ++i) {
    const auto late = ask_within(1ms, wait_there);
    REQUIRE_FALSE(late);
    CHECK_THAT(late.error().message, Catch::Contains("too long"));
  }
  CHECK(NetnsVisit::under_way() == NetnsVisit::kMost);
  const auto at_once = ask_within(1h, wait_there);
  REQUIRE_FALSE(at_once);
  CHECK_THAT(at_once.error().message, Catch::Contains("busy"));

  // Those that were given up end by themselves, and make room for others.
  {
    const std::scoped_lock lock(gate->mutex);
    gate->open = true;
    gate->opened.notify_all();
  }
  const auto is_free = [&] { return ask_within(10s, []() -> Result<int> { return 7; }); };
  while (gate->passed < NetnsVisit::kMost || !is_free()) std::this_thread::yield();
  CHECK(is_free() == 7);
}

TEST_CASE("names that come and go are noticed") {
  const Directory named;
  // The kernel tells times by the tick: what follows at once could have the same.
  const auto make_old = [&] {
    std::filesystem::last_write_time(
        named.path(), std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  };
  make_old();
  NetnsFinder finder({{named.path(), "/nonexistent"}, "/nonexistent"});
  finder.find_all();
  CHECK_FALSE(finder.names_changed());
  std::filesystem::create_symlink("/proc/self/ns/net", named.path() + "/mine");
  CHECK(finder.names_changed());
  make_old();
  CHECK(finder.find_all().contains(current_netns()));
  CHECK_FALSE(finder.names_changed());
  std::filesystem::remove(named.path() + "/mine");
  CHECK(finder.names_changed());
  CHECK(finder.find_all().empty());
}
