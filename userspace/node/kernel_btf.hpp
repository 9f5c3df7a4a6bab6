// KernelBtf reads from the running kernel's BTF the names of drop reasons, tracepoints and
// functions.
#pragma once

#include <bpf/btf.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct FreeBtf {
  void operator()(btf* object) const { btf__free(object); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

struct FunctionPlace {
  std::string module;  ///< empty: vmlinux
};

class KernelBtf {
 public:
  struct Module {
    std::string name;
    Btf types;  ///< split BTF on top of the kernel's
  };

  /// Of the running kernel. Modules are read when they are first needed.
  static Result<KernelBtf> load();
  /// Of a kernel with these modules and no others.
  KernelBtf(Btf vmlinux, std::vector<Module> modules);

  /// Names by number, subsystems' included, as far as their modules are loaded: `NO_SOCKET`,
  /// `OVS_DROP_LAST_ACTION`. Empty before 5.17.
  std::map<std::uint32_t, std::string> drop_reasons() const;
  /// -1 when there is no such tracepoint.
  int tracepoint_arguments(std::string_view name) const;
  bool has_enumerator(std::string_view enumeration, std::string_view name) const;
  /// The BTF id of a function of the kernel itself.
  std::optional<std::uint32_t> function_id(const char* name) const;
  /// In the kernel itself.
  bool has_function(std::string_view name) const;
  bool has_function_in_module(std::string_view module, std::string_view name) const;
  /// In the kernel itself or else in any loaded module.
  std::optional<FunctionPlace> find_function(std::string_view name) const;

 private:
  using NameSet = std::unordered_set<std::string_view>;

  struct Types {
    std::string module;
    Btf types;
    NameSet functions;  // views of the strings of `types`
  };

  explicit KernelBtf(Btf vmlinux);
  const Types* module(std::string_view name) const;
  const Types* read_module(std::string_view name) const;
  void read_all_modules() const;
  const NameSet& functions() const;

  Btf vmlinux_;
  bool live_ = true;  // modules come from sysfs
  mutable std::optional<NameSet> functions_;
  mutable std::map<std::string, Types, std::less<>> modules_;
  mutable bool all_modules_read_ = false;
};

}  // namespace dptrace
