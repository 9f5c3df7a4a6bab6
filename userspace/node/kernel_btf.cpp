#include "node/kernel_btf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

namespace dptrace {

namespace {

constexpr const char* kDirectory = "/sys/kernel/btf";
constexpr std::uint32_t kSubsystemMask = 0xffff0000;

struct Enumeration {
  std::string_view module;  // the module that has it, unless it is built in
  std::string_view name;
};

// Each enumeration has the values of one subsystem of reasons. That of mac80211 was named with
// underscores until 6.13.
constexpr std::array<Enumeration, 4> kSubsystemReasons = {{
    {"openvswitch", "ovs_drop_reason"},
    {"mac80211", "mac80211_drop_reason"},
    {"mac80211", "___mac80211_drop_reason"},
    {"", "qdisc_drop_reason"},
}};

std::string_view name_of(const btf* types, std::uint32_t offset) {
  const char* name = btf__name_by_offset(types, offset);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

// The first type of split BTF that is not one of its base.
std::uint32_t first_type(const btf* types) {
  const btf* base = btf__base_btf(types);
  return base == nullptr ? 1 : btf__type_cnt(base);
}

const btf_type* find_enumeration(const btf* types, std::string_view name) {
  const std::uint32_t count = btf__type_cnt(types);
  for (std::uint32_t id = first_type(types); id < count; ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_any_enum(type) || btf_vlen(type) == 0) continue;
    if (name_of(types, type->name_off) == name) return type;
  }
  return nullptr;
}

template <typename Visit>
void for_each_enumerator(const btf* types, const btf_type* enumeration, Visit visit) {
  for (std::uint16_t i = 0; i < btf_vlen(enumeration); ++i) {
    if (btf_is_enum64(enumeration)) {
      const struct btf_enum64& value = btf_enum64(enumeration)[i];
      visit(name_of(types, value.name_off), static_cast<std::uint32_t>(btf_enum64_value(&value)));
    } else {
      const struct btf_enum& value = btf_enum(enumeration)[i];
      visit(name_of(types, value.name_off), static_cast<std::uint32_t>(value.val));
    }
  }
}

std::string_view without_prefix(std::string_view name) {
  for (const std::string_view prefix : {"SKB_DROP_REASON_", "SKB_"}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name.substr(std::min(name.find_first_not_of('_'), name.size()));
}

bool is_bound(std::string_view name) {
  return name.ends_with("_MAX") || name == "SKB_DROP_REASON_SUBSYS_MASK";
}

std::unordered_set<std::string_view> function_names(const btf* types) {
  std::unordered_set<std::string_view> names;
  const std::uint32_t count = btf__type_cnt(types);
  for (std::uint32_t id = first_type(types); id < count; ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (btf_is_func(type)) names.insert(name_of(types, type->name_off));
  }
  return names;
}

}  // namespace

Result<KernelBtf> KernelBtf::load() {
  Btf vmlinux(btf__load_vmlinux_btf());
  if (!vmlinux) {
    return failure(
        fmt::format("reading the kernel's BTF: {} (no {}/vmlinux: this takes a kernel with "
                    "CONFIG_DEBUG_INFO_BTF, as distributions build them)",
                    std::strerror(errno), kDirectory));
  }
  return KernelBtf(std::move(vmlinux));
}

KernelBtf::KernelBtf(Btf vmlinux) : vmlinux_(std::move(vmlinux)) {}

KernelBtf::KernelBtf(Btf vmlinux, std::vector<Module> modules)
    : vmlinux_(std::move(vmlinux)), live_(false), all_modules_read_(true) {
  for (auto& [name, types] : modules) {
    auto functions = function_names(types.get());
    modules_.emplace(name, Types{name, std::move(types), std::move(functions)});
  }
}

const KernelBtf::Types* KernelBtf::module(std::string_view name) const {
  const auto found = modules_.find(name);
  if (found != modules_.end()) return &found->second;
  return live_ ? read_module(name) : nullptr;
}

const KernelBtf::Types* KernelBtf::read_module(std::string_view name) const {
  std::string module(name);
  Btf types(btf__load_module_btf(module.c_str(), vmlinux_.get()));
  if (!types) return nullptr;
  auto functions = function_names(types.get());
  const auto [place, added] =
      modules_.emplace(module, Types{module, std::move(types), std::move(functions)});
  return &place->second;
}

void KernelBtf::read_all_modules() const {
  if (all_modules_read_) return;
  all_modules_read_ = true;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(kDirectory, error)) {
    const std::string name = file.path().filename();
    if (name != "vmlinux") module(name);
  }
}

const KernelBtf::NameSet& KernelBtf::functions() const {
  if (!functions_) functions_ = function_names(vmlinux_.get());
  return *functions_;
}

std::map<std::uint32_t, std::string> KernelBtf::drop_reasons() const {
  std::map<std::uint32_t, std::string> reasons;
  const btf_type* core = find_enumeration(vmlinux_.get(), "skb_drop_reason");
  if (core == nullptr) return reasons;
  for_each_enumerator(vmlinux_.get(), core, [&](std::string_view name, std::uint32_t value) {
    if (!is_bound(name)) reasons.emplace(value, without_prefix(name));
  });

  for (const auto& [module_name, enumeration] : kSubsystemReasons) {
    const btf* types = vmlinux_.get();
    const btf_type* type = find_enumeration(types, enumeration);
    const Types* loaded = type == nullptr && !module_name.empty() ? module(module_name) : nullptr;
    if (loaded != nullptr) {
      types = loaded->types.get();
      type = find_enumeration(types, enumeration);
    }
    if (type == nullptr) continue;
    for_each_enumerator(types, type, [&](std::string_view name, std::uint32_t value) {
      const bool of_subsystem = (value & kSubsystemMask) != 0 && (value & ~kSubsystemMask) != 0;
      if (of_subsystem && !is_bound(name)) reasons.emplace(value, without_prefix(name));
    });
  }
  return reasons;
}

int KernelBtf::tracepoint_arguments(std::string_view name) const {
  const auto type_name = fmt::format("btf_trace_{}", name);
  const int id = btf__find_by_name_kind(vmlinux_.get(), type_name.c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) return -1;
  const btf_type* type = btf__type_by_id(vmlinux_.get(), static_cast<std::uint32_t>(id));
  type = btf__type_by_id(vmlinux_.get(), type->type);
  if (type == nullptr || !btf_is_ptr(type)) return -1;
  type = btf__type_by_id(vmlinux_.get(), type->type);
  if (type == nullptr || !btf_is_func_proto(type)) return -1;
  return btf_vlen(type) - 1;  // the first argument is the probe's own data
}

bool KernelBtf::has_enumerator(std::string_view enumeration, std::string_view name) const {
  const btf_type* type = find_enumeration(vmlinux_.get(), enumeration);
  bool found = false;
  if (type != nullptr) {
    for_each_enumerator(vmlinux_.get(), type,
                        [&](std::string_view other, std::uint32_t) { found |= other == name; });
  }
  return found;
}

std::optional<std::uint32_t> KernelBtf::member_offset(std::string_view module_name,
                                                      const char* structure,
                                                      std::string_view member) const {
  const btf* types = vmlinux_.get();
  if (!module_name.empty()) {
    const Types* loaded = module(module_name);
    if (loaded == nullptr) return {};
    types = loaded->types.get();
  }
  const int id = btf__find_by_name_kind(types, structure, BTF_KIND_STRUCT);
  if (id < 0) return {};
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(id));
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    if (name_of(types, btf_members(type)[i].name_off) == member)
      return btf_member_bit_offset(type, i) / 8;
  }
  return {};
}

std::optional<std::uint32_t> KernelBtf::struct_size(const char* structure) const {
  const int id = btf__find_by_name_kind(vmlinux_.get(), structure, BTF_KIND_STRUCT);
  if (id < 0) return {};
  return btf__type_by_id(vmlinux_.get(), static_cast<std::uint32_t>(id))->size;
}

std::optional<std::uint32_t> KernelBtf::function_id(const char* name) const {
  const int id = btf__find_by_name_kind(vmlinux_.get(), name, BTF_KIND_FUNC);
  if (id < 0) return {};
  return static_cast<std::uint32_t>(id);
}

bool KernelBtf::has_function(std::string_view name) const { return functions().contains(name); }

bool KernelBtf::has_function_in_module(std::string_view module_name, std::string_view name) const {
  const Types* loaded = module(module_name);
  return loaded != nullptr && loaded->functions.contains(name);
}

std::optional<FunctionPlace> KernelBtf::find_function(std::string_view name) const {
  if (has_function(name)) return FunctionPlace{};
  read_all_modules();
  for (const auto& [module_name, loaded] : modules_) {
    if (loaded.functions.contains(name)) return FunctionPlace{module_name};
  }
  return {};
}

}  // namespace dptrace
