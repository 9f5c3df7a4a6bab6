// A file that is read whole, such as settings and certificates, and by what its next version is
// known.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "model/result.hpp"

namespace dptrace {

struct SmallFile {
  std::string text;
  bool is_open_to_all = false;  ///< whoever has a user on this machine may read it
};

/// A regular file of at most 1 MiB. Nothing else is waited for, as a pipe would be.
Result<SmallFile> read_small_file(const std::string& path);

/// Another one: the file has been written or replaced. All zero: there is none.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  ///< of its inode: rights and names, too

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp stamp_of(const std::string& path);

}  // namespace dptrace
