// The file that tells a script that everything is attached.
#pragma once

#include <string>

#include "model/result.hpp"

namespace dptrace {

/// Checks before anything is attached that the file's folder is there, and that its name is not a
/// symbolic link to a file. An empty path is no error.
Result<> check_ready_file(const std::string& path);

/// Writes the process's number into it. A symbolic link is not followed to a file, which would be
/// emptied, only to what is none (/dev/fd/3, /dev/stdout).
Result<> create_ready_file(const std::string& path);

}  // namespace dptrace
