// Recordings written to files that are gone with the test, and read again.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "record/reader.hpp"
#include "record/writer.hpp"
#include "support/sample_packets.hpp"

namespace dptrace::test {

using record::Reader;
using record::Writer;
using sample::address;

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

inline dpt_device device(std::uint32_t number) {
  dpt_device device{};
  device.event.kind = DPT_EVENT_DEVICE;
  device.event.size = sizeof device;
  device.event.time_ns = number;
  device.ifindex = number;
  return device;
}

inline Result<> add(Writer& writer, std::uint32_t number) {
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

inline Read read_all(const std::string& path) {
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
inline std::set<std::string> locations(const Names& names) {
  std::set<std::string> all;
  for (const auto& [address, symbol] : names.symbols) all.insert(names.location(address));
  return all;
}

inline bool same(const Names& a, const Names& b) {
  return a.node_name == b.node_name && a.kernel_release == b.kernel_release &&
         a.wall_clock_offset_ns == b.wall_clock_offset_ns && a.home_netns == b.home_netns &&
         a.interfaces == b.interfaces && a.netns == b.netns && a.pods == b.pods &&
         a.reasons == b.reasons && locations(a) == locations(b);
}

/// Two chunks of events, with a name between them.
inline void write_small(const std::string& path) {
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

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace dptrace::test
