// What is no recording, or no whole one, is read up to where it is damaged and called so.
#include "record/payload.hpp"
#include "support/recordings.hpp"

using namespace dptrace;
using namespace dptrace::sample;
using namespace dptrace::test;

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
