// Files come and go, and so do the directories that they are waited for in.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "os/directory_watch.hpp"

namespace dptrace {
namespace {

namespace fs = std::filesystem;

struct Place {
  fs::path path = fs::temp_directory_path() / "dptrace_directory_watch";

  Place() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Place() { fs::remove_all(path); }
};

void write(const fs::path& file) { std::ofstream(file) << "something"; }

TEST_CASE("files that come, are written, renamed and removed are told, and nothing else") {
  const Place place;
  DirectoryWatch watch({place.path});
  CHECK_FALSE(watch.drain());
  write(place.path / "file");
  CHECK(watch.drain());
  CHECK_FALSE(watch.drain());
  std::ofstream(place.path / "file", std::ios::app) << "more";
  CHECK(watch.drain());
  fs::rename(place.path / "file", place.path / "other");
  CHECK(watch.drain());
  std::ifstream(place.path / "other").get();
  CHECK_FALSE(watch.drain());
  fs::remove(place.path / "other");
  CHECK(watch.drain());
}

TEST_CASE("a directory that comes later, with those above it, is watched like the others") {
  const Place place;
  const auto wanted = place.path / "lib" / "cni" / "results";
  DirectoryWatch watch({wanted, place.path / "lib" / "other"});
  fs::create_directories(wanted);
  CHECK(watch.drain());
  while (watch.drain()) continue;
  write(wanted / "file");
  CHECK(watch.drain());

  SECTION("also when it has gone in between") {
    fs::remove_all(place.path / "lib");
    CHECK(watch.drain());
    while (watch.drain()) continue;
    fs::create_directories(wanted);
    CHECK(watch.drain());
    while (watch.drain()) continue;
    write(wanted / "file");
    CHECK(watch.drain());
  }
}

}  // namespace
}  // namespace dptrace
