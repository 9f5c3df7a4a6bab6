#include "model/end.hpp"

namespace dptrace {

std::string_view end_name(End end) {
  switch (end) {
    case End::kTaken:
      return "taken";
    case End::kCopy:
      return "copy";
    case End::kUnwanted:
      return "unwanted";
    case End::kClosed:
      return "closed";
    case End::kLoss:
      break;
  }
  return "loss";
}

}  // namespace dptrace
