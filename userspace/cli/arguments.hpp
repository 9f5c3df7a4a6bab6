// The words of a command line are checked one by one before their values are, so that an error
// names a word as the user wrote it.
#pragma once

#include <string>
#include <vector>

#include "cli/option_list.hpp"
#include "model/result.hpp"

namespace dptrace {

/// Puts the options of a command behind its name, wherever they stood; an error says what is wrong
/// with the command line. `arguments` do not include the program's name.
Result<std::vector<std::string>> arrange(const std::vector<std::string>& arguments,
                                         const std::vector<ListedCommand>& commands);

}  // namespace dptrace
