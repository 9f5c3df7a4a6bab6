// A small file is read whole, such as settings and certificates. Its stamp tells when there is a
// new version.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "model/result.hpp"

namespace dptrace {

struct SmallFile {
  std::string text;
  bool is_open_to_all = false;  ///< every user of this machine may read it
};

/// Reads a regular file of at most 1 MiB. Any other kind of file is an error; a pipe, for instance,
/// is not waited for.
Result<SmallFile> read_small_file(const std::string& path);

/// A stamp of another value says that the file has been written or replaced. All zero: there is no
/// file.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns =
      0;  ///< time of the last change of the inode, so of rights and names too

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp stamp_of(const std::string& path);

}  // namespace dptrace
