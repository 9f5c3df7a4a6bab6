// The file that tells a script that everything is attached.
#pragma once

#include <string>

#include "model/result.hpp"

namespace dptrace {

/// What can be said before anything is attached: that its folder is there, and that the name is not
/// a symbolic link to a file. Nothing when there is no path.
Result<> check_ready_file(const std::string& path);

/// Writes the process's number into it. A symbolic link is not followed to a file, which would be
/// emptied, only to what is none (/dev/fd/3, /dev/stdout).
Result<> create_ready_file(const std::string& path);

}  // namespace dptrace
