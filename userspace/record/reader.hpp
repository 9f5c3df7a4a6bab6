// Reader reads a recording, record by record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/names.hpp"
#include "model/result.hpp"
#include "model/summary.hpp"
#include "os/owned_fd.hpp"
#include "record/format.hpp"

namespace dptrace::record {

/// From a damaged or cut off file the reader first gives what can be read, and then the error.
class Reader {
 public:
  static Result<Reader> open(const std::string& path);

  /// The next record as the kernel wrote it, valid until the next call; nothing at the end of the
  /// recording.
  Result<std::optional<std::span<const std::byte>>> next();

  /// The names read so far; they grow as records are read.
  const Names& names() const { return names_; }
  /// The addresses of --pod-ip, known from the start.
  const std::vector<Address>& pods() const { return pods_; }
  /// The figures at the end, once next() has given nothing.
  const Summary& summary() const { return summary_; }
  std::uint64_t records() const { return records_; }

 private:
  Reader(std::string path, OwnedFd file) : path_(std::move(path)), file_(std::move(file)) {}

  Result<> read_header();
  Result<ChunkType> read_chunk();
  Result<> take_chunk(ChunkType type);
  Result<> expect_end();
  /// Reads into `bytes`; returns fewer bytes at the end of the file.
  Result<std::size_t> read(std::span<std::byte> bytes);
  Result<> read_payload(std::size_t length);
  Error cut_off() const;
  Error damaged(const std::string& what) const;
  Error with_count(std::string message) const;

  std::string path_;
  OwnedFd file_;
  Names names_;
  std::vector<Address> pods_;
  Summary summary_;
  std::vector<std::byte> payload_;
  std::size_t position_ = 0;       ///< offset of the next record in payload_
  std::uint64_t offset_ = 0;       ///< offset of the next byte of the file
  std::uint64_t json_bytes_ = 0;   ///< bytes of all JSON chunks so far
  std::uint64_t chunk_start_ = 0;  ///< offset of the chunk being read
  std::uint64_t records_ = 0;
  bool events_ = false;  ///< payload_ has records
  bool ended_ = false;
};

}  // namespace dptrace::record
