// The words of a command line, looked at one by one before their values are: what is wrong is named
// as the user wrote it.
#pragma once

#include <string>
#include <vector>

#include "cli/option_list.hpp"
#include "model/result.hpp"

namespace dptrace {

/// The same command line with the options of a command behind its name, wherever they stood, or
/// what is wrong with it. `arguments` are without the program's name.
Result<std::vector<std::string>> arrange(const std::vector<std::string>& arguments,
                                         const std::vector<ListedCommand>& commands);

}  // namespace dptrace
