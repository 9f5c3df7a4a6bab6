#include "node/rules/nft_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace dptrace {

namespace {

constexpr const char* kName = "libnftables.so.1";

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Result<NftLibrary> open() {
  void* library = dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return failure(fmt::format("{}: {}", kName, dlerror()));
  NftLibrary nft{};
  if (find(library, "nft_ctx_new", nft.context_new) &&
      find(library, "nft_ctx_free", nft.context_free) &&
      find(library, "nft_ctx_buffer_output", nft.buffer_output) &&
      find(library, "nft_ctx_buffer_error", nft.buffer_error) &&
      find(library, "nft_ctx_output_set_flags", nft.set_flags) &&
      find(library, "nft_run_cmd_from_buffer", nft.run) &&
      find(library, "nft_ctx_get_output_buffer", nft.output) &&
      find(library, "nft_ctx_get_error_buffer", nft.error))
    return nft;
  return failure(fmt::format("{} lacks a function: {}", kName, dlerror()));
}

}  // namespace

const Result<NftLibrary>& NftLibrary::get() {
  static const Result<NftLibrary> library = open();
  return library;
}

}  // namespace dptrace
