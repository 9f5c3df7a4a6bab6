#include "record/writer.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "record/payload.hpp"

namespace dptrace::record {

namespace {

constexpr std::size_t kEnoughWaiting = 64U << 10;  // bytes
// The chunks are small, because of a file that is cut off only whole chunks can be read.
constexpr std::size_t kEventsPerChunk = 2U << 10;  // bytes, exceeded by one record at most
constexpr std::size_t kMaxWaiting =
    16U << 20;  // bytes that wait, even when names() is not called for long
constexpr mode_t kOthers = 0077;

}  // namespace

Result<Writer> Writer::create(const std::string& path, const Names& names,
                              const std::vector<Address>& pods) {
  auto target = Target::open(path);
  if (!target) return tl::unexpected(target.error());
  return create(std::move(*target), names, pods);
}

Result<Writer> Writer::create(Target target, const Names& names, const std::vector<Address>& pods) {
  auto file = target.begin();
  if (!file) return tl::unexpected(file.error());
  Writer writer(target.path(), std::move(*file));
  writer.make_private();
  const FileHeader header;
  Result<> result = writer.write(std::as_bytes(std::span(&header, 1)));
  if (result) result = writer.chunk(ChunkType::kMeta, pods_payload(pods));
  if (result) result = writer.names(names);
  if (!result) return tl::unexpected(result.error());
  return writer;
}

// A file that existed before keeps its mode when it is opened, so it is changed here.
void Writer::make_private() {
  struct stat file {};
  if (fstat(file_.get(), &file) != 0 || !S_ISREG(file.st_mode)) return;
  if ((file.st_mode & kOthers) == 0) return;
  const auto mode = static_cast<unsigned>(file.st_mode & 07777);
  if (fchmod(file_.get(), file.st_mode & 07777 & ~kOthers) == 0) {
    warning_ = fmt::format("{} could be read by others (mode {:04o}) and now cannot be: {}", path_,
                           mode, "a recording tells of traffic and its pods");
  } else {
    warning_ = fmt::format("{} may be read by others (mode {:04o}), which cannot be changed: {}",
                           path_, mode, "a recording tells of traffic and its pods");
  }
}

Result<> Writer::events(std::span<const std::byte> record) {
  if (events_.size() + record.size() > kMaxWaiting) {
    if (Result<> result = flush(); !result) return result;
  }
  const auto at = events_.insert(events_.end(), record.begin(), record.end());
  disguise_.apply({&*at, record.size()});
  if (events_.size() - (ends_.empty() ? 0 : ends_.back()) >= kEventsPerChunk)
    ends_.push_back(events_.size());
  if (error_) return tl::unexpected(*error_);
  return {};
}

Result<> Writer::names(const Names& names) {
  const std::string payload = new_names(names, written_, disguise_);
  if (!payload.empty()) {
    if (Result<> result = chunk(ChunkType::kNames, payload); !result) return result;
  }
  if (events_.size() >= kEnoughWaiting) return flush();
  if (error_) return tl::unexpected(*error_);
  return {};
}

Result<> Writer::flush() {
  if (error_) return tl::unexpected(*error_);
  if (events_.empty()) return {};
  if (ends_.empty() || ends_.back() != events_.size()) ends_.push_back(events_.size());
  const std::span<const std::byte> all = events_;
  Result<> result;
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    if (result) result = chunk(ChunkType::kEvents, all.subspan(begin, end - begin));
    begin = end;
  }
  events_.clear();
  ends_.clear();
  return result;
}

Result<> Writer::finish(const Summary& summary) {
  if (Result<> result = flush(); !result) return result;
  if (Result<> result = chunk(ChunkType::kEnd, summary_payload(summary)); !result) return result;
  // Pipes and similar files cannot be synchronised.
  if (::fsync(file_.get()) != 0 && errno != EINVAL && errno != EROFS) return fail(errno);
  if (::close(file_.release()) != 0) return fail(errno);
  return {};
}

Result<> Writer::chunk(ChunkType type, std::span<const std::byte> payload) {
  ChunkHeader header;
  header.type = static_cast<std::uint32_t>(type);
  header.length = static_cast<std::uint32_t>(payload.size());
  header.crc = checksum(header.type, header.length, payload);
  if (Result<> result = write(std::as_bytes(std::span(&header, 1))); !result) return result;
  return write(payload);
}

Result<> Writer::chunk(ChunkType type, const std::string& payload) {
  return chunk(type, std::as_bytes(std::span(payload)));
}

Result<> Writer::write(std::span<const std::byte> bytes) {
  if (error_) return tl::unexpected(*error_);
  switch (outlet_.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()})) {
    case Outlet::End::kNone:
      return {};
    case Outlet::End::kClosed:
      return fail(EPIPE);
    case Outlet::End::kStopped:
      return fail(EAGAIN);
    case Outlet::End::kFailed:
      break;
  }
  return fail(outlet_.error());
}

Result<> Writer::fail(int error) {
  error_ = Error{write_error(path_, error)};
  return tl::unexpected(*error_);
}

}  // namespace dptrace::record
