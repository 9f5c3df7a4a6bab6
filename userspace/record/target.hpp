// A target is the file of a recording. It is opened before anything is attached, so that a bad path
// is told at once.
#pragma once

#include <string>

#include "model/result.hpp"
#include "os/owned_fd.hpp"

namespace dptrace::record {

/// A file that existed before keeps its content until the recording begins. When the recording
/// never begins, no new file is left.
class Target {
 public:
  static Result<Target> open(const std::string& path);
  Target(Target&& other) noexcept
      : path_(std::move(other.path_)),
        file_(std::move(other.file_)),
        fresh_(std::exchange(other.fresh_, false)) {}
  Target& operator=(Target&&) = delete;
  ~Target();

  const std::string& path() const { return path_; }
  /// Begins the recording: empties the file and keeps it.
  Result<OwnedFd> begin();

  /// Removes the new file when the process ends without running destructors; async-signal-safe.
  static void abandon();

 private:
  Target(std::string path, OwnedFd file, bool fresh)
      : path_(std::move(path)), file_(std::move(file)), fresh_(fresh) {}

  std::string path_;
  OwnedFd file_;
  bool fresh_;  ///< the file was created here, and is still empty
};

/// The message for an error in writing the file.
std::string write_error(const std::string& path, int error);

}  // namespace dptrace::record
