// A target is the file of a recording, opened before anything is attached: a bad path is told at
// once.
#pragma once

#include <string>

#include "model/result.hpp"
#include "os/owned_fd.hpp"

namespace dptrace::record {

/// A file that was there before is kept until the recording begins. Nothing is left of a recording
/// that never does.
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
  /// The recording begins: empty, and here to stay.
  Result<OwnedFd> begin();

  /// For an end that runs no destructors; async-signal-safe.
  static void abandon();

 private:
  Target(std::string path, OwnedFd file, bool fresh)
      : path_(std::move(path)), file_(std::move(file)), fresh_(fresh) {}

  std::string path_;
  OwnedFd file_;
  bool fresh_;  ///< it was not there, and nothing is in it yet
};

/// Of writing to the file.
std::string write_error(const std::string& path, int error);

}  // namespace dptrace::record
