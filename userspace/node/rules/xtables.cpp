#include "node/rules/rules.hpp"

namespace dptrace {

Result<Rules> read_xtables(std::uint8_t /*family*/, const std::string& table) {
  return failure("the rules of table " + table + " cannot be read yet");
}

}  // namespace dptrace
