#include "record/reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dptrace/event.h"
#include "record/payload.hpp"

namespace dptrace::record {

namespace {

constexpr std::size_t kReadStep = 1U << 20;  // bytes; a damaged length must not cost memory

std::string message(const std::string& path, std::string_view what) {
  return fmt::format("reading {}: {}", path, what);
}

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<Reader> Reader::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failure(message(path, std::strerror(errno)));
  Reader reader(path, OwnedFd(descriptor));
  if (Result<> result = reader.read_header(); !result) return tl::unexpected(result.error());
  const Result<ChunkType> meta = reader.read_chunk();
  if (!meta) return tl::unexpected(meta.error());
  if (*meta != ChunkType::kMeta) return tl::unexpected(reader.damaged("no meta data"));
  if (Result<> result = reader.take_chunk(*meta); !result) return tl::unexpected(result.error());
  return reader;
}

Result<std::optional<std::span<const std::byte>>> Reader::next() {
  while (!ended_ && (!events_ || position_ == payload_.size())) {
    events_ = false;
    const Result<ChunkType> type = read_chunk();
    if (!type) return tl::unexpected(type.error());
    if (Result<> result = take_chunk(*type); !result) return tl::unexpected(result.error());
    if (!ended_) continue;
    if (Result<> result = expect_end(); !result) return tl::unexpected(result.error());
  }
  if (ended_) return std::nullopt;
  const std::span<const std::byte> rest = std::span(payload_).subspan(position_);
  dpt_event event{};
  if (rest.size() >= sizeof event) std::memcpy(&event, rest.data(), sizeof event);
  if (event.size < sizeof event || event.size > rest.size()) {
    return tl::unexpected(damaged("a record's length is wrong"));
  }
  position_ += event.size;
  ++records_;
  return rest.first(event.size);
}

Result<> Reader::read_header() {
  FileHeader header;
  const Result<std::size_t> size = read(std::as_writable_bytes(std::span(&header, 1)));
  if (!size) return tl::unexpected(size.error());
  if (*size < sizeof header.magic || header.magic != kMagic) {
    return failure(message(path_, "this is not a recording of dptrace (those are made by -w)"));
  }
  if (*size < sizeof header) return tl::unexpected(cut_off());
  if (header.byte_order == kOtherByteOrder) {
    return failure(
        message(path_, "recorded on a machine of the other byte order: show it on one like that"));
  }
  if (header.byte_order != kByteOrderMark) return tl::unexpected(damaged("no byte order mark"));
  if (header.major != kMajor) {
    return failure(message(
        path_, fmt::format("recording format {}.{}, and this dptrace reads {}.x: {}", header.major,
                           header.minor, kMajor, "use the version of dptrace that made it")));
  }
  return {};
}

Result<ChunkType> Reader::read_chunk() {
  chunk_start_ = offset_;
  ChunkHeader header;
  const Result<std::size_t> size = read(std::as_writable_bytes(std::span(&header, 1)));
  if (!size) return tl::unexpected(size.error());
  if (*size < sizeof header) return tl::unexpected(cut_off());
  const auto type = static_cast<ChunkType>(header.type);
  const bool is_json =
      type == ChunkType::kMeta || type == ChunkType::kNames || type == ChunkType::kEnd;
  if (is_json) json_bytes_ += header.length;
  if (header.length > (is_json ? kMaxJson : kMaxChunk) || json_bytes_ > kMaxAllJson)
    return tl::unexpected(damaged("a chunk's length is wrong"));
  if (Result<> result = read_payload(header.length); !result) {
    return tl::unexpected(result.error());
  }
  if (checksum(header.type, header.length, payload_) != header.crc) {
    return tl::unexpected(damaged("a checksum is wrong"));
  }
  return type;
}

Result<> Reader::take_chunk(ChunkType type) {
  bool good = true;
  switch (type) {
    case ChunkType::kMeta:
      good = read_pods(text(payload_), pods_);
      break;
    case ChunkType::kNames:
      good = read_names(text(payload_), names_);
      break;
    case ChunkType::kEvents:
      events_ = true;
      position_ = 0;
      break;
    case ChunkType::kEnd:
      good = read_summary(text(payload_), summary_);
      ended_ = true;
      break;
    default:  // a chunk of a newer minor version
      break;
  }
  if (!good) return tl::unexpected(damaged("a chunk's content is wrong"));
  return {};
}

// More bytes are an error, because a second recording in the file would be passed over.
Result<> Reader::expect_end() {
  std::byte more{};
  const Result<std::size_t> size = read({&more, 1});
  if (!size) return tl::unexpected(size.error());
  if (*size == 0) return {};
  return tl::unexpected(
      with_count(fmt::format("there is more after its end, at byte {}", offset_ - 1)));
}

Result<std::size_t> Reader::read(std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto rest = bytes.subspan(done);
    const ssize_t count = ::read(file_.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(with_count(std::strerror(errno)));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  offset_ += done;
  return done;
}

Result<> Reader::read_payload(std::size_t length) {
  payload_.clear();
  while (payload_.size() < length) {
    const std::size_t start = payload_.size();
    payload_.resize(std::min(length, start + kReadStep));
    const Result<std::size_t> size = read(std::span(payload_).subspan(start));
    if (!size) return tl::unexpected(size.error());
    if (start + *size < payload_.size()) return tl::unexpected(cut_off());
  }
  return {};
}

Error Reader::cut_off() const {
  return with_count(fmt::format("the recording is cut off at byte {}", offset_));
}

Error Reader::damaged(const std::string& what) const {
  return with_count(fmt::format("damaged at byte {}: {}", chunk_start_, what));
}

Error Reader::with_count(std::string what) const {
  return {fmt::format("reading {}: {} ({} {} could be read)", path_, what, records_,
                      records_ == 1 ? "record" : "records")};
}

}  // namespace dptrace::record
