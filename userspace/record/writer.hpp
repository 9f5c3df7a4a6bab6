// Writer writes a recording: everything that `dptrace show` needs to print the same text and JSON
// elsewhere.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/names.hpp"
#include "model/result.hpp"
#include "model/summary.hpp"
#include "os/outlet.hpp"
#include "os/owned_fd.hpp"
#include "record/disguise.hpp"
#include "record/format.hpp"
#include "record/target.hpp"

namespace dptrace::record {

/// After its first error every call returns that error again. A reader of a recording that was not
/// finished sees that it is cut off.
class Writer {
 public:
  /// `pods` are the addresses of --pod-ip. Only its owner may read the file, because it tells of
  /// other people's traffic. A file that existed before is made private too; see take_warning().
  static Result<Writer> create(Target target, const Names& names, const std::vector<Address>& pods);
  static Result<Writer> create(const std::string& path, const Names& names,
                               const std::vector<Address>& pods);

  /// Adds one record as the kernel wrote it. Of its addresses the file keeps only which ones are
  /// equal. The record waits until flush(), or until names() finds enough records waiting.
  Result<> events(std::span<const std::byte> record);

  /// To be called after each batch of records, when the names that they need have been looked up.
  /// Writes new names before the records that still wait, so that a reader has each name before the
  /// record that needs it.
  Result<> names(const Names& names);

  /// Writes the records that still wait.
  Result<> flush();

  /// A warning about the file for the user, given once.
  std::optional<std::string> take_warning() { return std::exchange(warning_, std::nullopt); }

  /// Ends the file: nothing may be written after it.
  Result<> finish(const Summary& summary);

 private:
  Writer(std::string path, OwnedFd file)
      : path_(std::move(path)), file_(std::move(file)), outlet_(file_.get()) {}

  void make_private();
  Result<> chunk(ChunkType type, std::span<const std::byte> payload);
  Result<> chunk(ChunkType type, const std::string& payload);
  Result<> write(std::span<const std::byte> bytes);
  Result<> fail(int error);

  std::string path_;
  OwnedFd file_;
  Outlet outlet_;
  std::optional<std::string> warning_;
  std::optional<Error> error_;
  Disguise disguise_;
  Names written_;
  std::vector<std::byte> events_;
  std::vector<std::size_t> ends_;  // ends of the full chunks in events_
};

}  // namespace dptrace::record
