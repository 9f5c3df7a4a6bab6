// libFuzzer: `dptrace show` of whatever a file has in it, with both outputs, faults nowhere, keeps
// to the bounds of a packet, and (by the fuzzer's own limits) takes no more memory than the file
// accounts for.
//
// An input is a row of chunks: type (1 byte), length (2 bytes), payload; lengths and checksums of
// the recording are made here, as no fuzzer finds those. Behind 0xff it is the file as it is.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "decode/decode.hpp"
#include "output/output.hpp"
#include "record/reader.hpp"
#include "timeline/timeline.hpp"

namespace {

using namespace dptrace;

class NullSink final : public Sink {
 public:
  bool write(std::string_view) override { return true; }
};

std::string as_recording(std::string_view input) {
  if (input.starts_with('\xff')) return std::string(input.substr(1));
  const record::FileHeader header;
  std::string file(reinterpret_cast<const char*>(&header), sizeof header);
  while (input.size() >= 3) {
    std::uint16_t length = 0;
    std::memcpy(&length, input.data() + 1, sizeof length);
    const auto payload = input.substr(3, length);
    record::ChunkHeader chunk;
    chunk.type = static_cast<unsigned char>(input[0]);
    chunk.length = static_cast<std::uint32_t>(payload.size());
    chunk.crc = record::checksum(chunk.type, chunk.length, std::as_bytes(std::span(payload)));
    file.append(reinterpret_cast<const char*>(&chunk), sizeof chunk);
    file += payload;
    input.remove_prefix(3 + payload.size());
  }
  return file;
}

std::string path_of(const std::string& content) {
  static const int file = memfd_create("recording", MFD_CLOEXEC);
  if (ftruncate(file, 0) != 0 ||
      pwrite(file, content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
    std::abort();
  return "/proc/self/fd/" + std::to_string(file);
}

std::uint64_t time_of(std::span<const std::byte> record) {
  dpt_event event{};
  std::memcpy(&event, record.data(), sizeof event);
  return event.time_ns;
}

// A record makes no two hops, drops or copies.
void check(const Packet& packet, std::uint64_t records) {
  const std::size_t most = std::min<std::size_t>(records, TimelineLimits{}.hops + 1);
  if (packet.hops.empty() || packet.hops.size() > most) std::abort();
  if (packet.drops.size() > records || packet.copies.size() > records) std::abort();
}

void show(const std::string& path, bool every_end) {
  auto reader = record::Reader::open(path);
  if (!reader) return;
  NullSink sink;
  OutputOptions options;
  options.pods = reader->pods();
  const auto text = make_text_output(sink, options);
  options.verbose = true;
  options.colour = true;
  const auto verbose = make_text_output(sink, options);
  const auto json = make_json_output(sink, {});
  Timeline timeline(reader->names(), {.every_end = every_end});
  Summary summary;
  const Timeline::Receiver receive = [&](Packet&& packet) {
    check(packet, reader->records());
    summary.count(packet, reader->names());
    for (const auto* output : {&text, &verbose, &json}) (*output)->packet(packet, reader->names());
  };
  for (;;) {
    const auto record = reader->next();
    if (!record || !*record) break;
    const auto event = decode(**record);
    if (!event) break;
    timeline.advance(time_of(**record), receive);
    timeline.add(*event);
  }
  timeline.finish(receive);
  for (const auto* output : {&text, &verbose, &json}) {
    (*output)->summary(summary, reader->names());
    (*output)->summary(reader->summary(), reader->names());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string path = path_of(as_recording(input));
  show(path, false);
  show(path, true);
  return 0;
}
