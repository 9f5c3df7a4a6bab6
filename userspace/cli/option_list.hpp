// The option list has the commands and options that the command line takes, as data.
#pragma once

#include <string>
#include <vector>

namespace dptrace {

struct ListedOption {
  std::vector<std::string> names;  ///< `-o`, `--output`
  std::string value;               ///< `FILE`, `text|json`; empty for a flag
  std::string help;
  bool repeatable = false;
  bool replaces_operands = false;  ///< with it the command takes no operands
};

struct ListedCommand {
  std::string name;  ///< empty: the options that stand before any command
  std::string help;
  std::vector<ListedOption> options;
  std::vector<std::string> operands;  ///< words that the command needs beside its options
};

std::vector<ListedCommand> list_options();

}  // namespace dptrace
