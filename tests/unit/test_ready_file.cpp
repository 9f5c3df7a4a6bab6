#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "os/ready_file.hpp"

using namespace dptrace;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "dptrace-ready-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("the ready file has the process's number, also where there was something else") {
  const Folder folder;
  const auto path = folder.file("ready");
  write(path, "something longer than any number of a process");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(check_ready_file(path));
    REQUIRE(create_ready_file(path));
    CHECK(content(path) == std::to_string(getpid()) + '\n');
    fs::remove(path);
  }
}

TEST_CASE("a symbolic link in the ready file's place empties nothing") {
  const Folder folder;
  write(folder.file("precious"), "precious");
  fs::create_symlink(folder.file("precious"), folder.file("ready"));
  fs::create_symlink(folder.file("nothing"), folder.file("dangling"));
  for (const char* name : {"ready", "dangling"}) {
    CHECK_FALSE(check_ready_file(folder.file(name)));
    const auto created = create_ready_file(folder.file(name));
    REQUIRE_FALSE(created);
    CHECK(created.error().message.find("symbolic link") != std::string::npos);
  }
  CHECK(content(folder.file("precious")) == "precious");
  CHECK_FALSE(fs::exists(folder.file("nothing")));
}

TEST_CASE("a pipe may be behind a link, as of a shell's >(...)") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const auto path = "/dev/fd/" + std::to_string(ends[1]);
  REQUIRE(check_ready_file(path));
  REQUIRE(create_ready_file(path));
  char text[32] = {};
  CHECK(read(ends[0], text, sizeof text - 1) > 0);
  CHECK(text == std::to_string(getpid()) + '\n');
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a ready file that cannot be is told before it is time") {
  CHECK_FALSE(check_ready_file("/no/such/folder/ready"));
  CHECK_FALSE(check_ready_file("/tmp"));
  CHECK(check_ready_file(""));
}
