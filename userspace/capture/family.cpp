#include "capture/family.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "attach/cgroup.hpp"

namespace dptrace {

void Family::attach() {
  if (in_place_) return;
  const auto placed = put_in_place();
  state_.why = placed ? *placed : placed.error().message;
  state_.attached = state_.why.empty();
  in_place_ = placed.has_value();
  if (!in_place_) links_.clear();
}

void Family::detach() {
  links_.clear();
  in_place_ = false;
  state_.attached = false;
}

Result<std::string> ProgramFamily::put_in_place() {
  if (!refusal_.empty()) return failure(refusal_);
  BpfLink link(bpf_program__attach(program_));
  if (!link) return failure(fmt::format("attaching to the {}: {}", place_, std::strerror(errno)));
  keep(std::move(link));
  return std::string();
}

Result<std::string> SocketFamily::put_in_place() {
  if (program_ == nullptr) return failure(refusal_);
  auto root = open_cgroup_root();
  if (!root) return tl::unexpected(root.error());
  BpfLink link(bpf_program__attach_cgroup(program_, root->directory.get()));
  if (!link) return failure(fmt::format("attaching to the root cgroup: {}", std::strerror(errno)));
  keep(std::move(link));
  return root->narrower;
}

}  // namespace dptrace
