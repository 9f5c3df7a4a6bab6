// The ready file tells a script that everything is attached.
#pragma once

#include <string>

#include "model/result.hpp"

namespace dptrace {

/// Checks before anything is attached that the file's folder is there, and that its name is not a
/// symbolic link to a file. An empty path is no error.
Result<> check_ready_file(const std::string& path);

/// Writes the process's number into the file. A symbolic link to a file is not followed, because
/// the file would be emptied; one to something else is (/dev/fd/3, /dev/stdout).
Result<> create_ready_file(const std::string& path);

}  // namespace dptrace
