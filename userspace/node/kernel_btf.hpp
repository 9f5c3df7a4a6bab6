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

  /// Reads the BTF of the running kernel. The BTF of a module is read when it is first needed.
  static Result<KernelBtf> load();
  /// The BTF of a kernel that has these modules and no others.
  KernelBtf(Btf vmlinux, std::vector<Module> modules);

  /// The names of drop reasons by number: `NO_SOCKET`, `OVS_DROP_LAST_ACTION`. Reasons of
  /// subsystems are among them, as far as their modules are loaded. Empty before 5.17.
  std::map<std::uint32_t, std::string> drop_reasons() const;
  /// The number of arguments of a tracepoint; -1 when the kernel does not have it.
  int tracepoint_arguments(std::string_view name) const;
  bool has_enumerator(std::string_view enumeration, std::string_view name) const;
  /// The offset of a member of a struct, in bytes; of a bitfield, that of the byte it begins in.
  /// `module` is empty for the kernel itself.
  std::optional<std::uint32_t> member_offset(std::string_view module, const char* structure,
                                             std::string_view member) const;
  std::optional<std::uint32_t> struct_size(const char* structure) const;
  /// The BTF id of a function of the kernel itself.
  std::optional<std::uint32_t> function_id(const char* name) const;
  /// True when the kernel itself, without its modules, has the function.
  bool has_function(std::string_view name) const;
  bool has_function_in_module(std::string_view module, std::string_view name) const;
  /// The place of a function in the kernel itself or else in any loaded module.
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
  bool live_ = true;  // BTF of modules is read from sysfs
  mutable std::optional<NameSet> functions_;
  mutable std::map<std::string, Types, std::less<>> modules_;
  mutable bool all_modules_read_ = false;
};

}  // namespace dptrace
