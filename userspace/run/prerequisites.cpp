#include "run/prerequisites.hpp"

#include <fmt/format.h>

#include "node/capabilities.hpp"
#include "node/kernel_version.hpp"
#include "node/lockdown.hpp"

namespace dptrace {

Result<Prerequisites> meet_prerequisites() {
  if (const auto sentence = too_old(kernel_release()); !sentence.empty()) return failure(sentence);
  const auto capabilities = Capabilities::read();
  if (!capabilities) return tl::unexpected(capabilities.error());
  for (const auto& capability : capabilities->missing()) {
    if (!capability.required) continue;
    return failure(fmt::format(
        "missing {}: run it as root (sudo dptrace ...), or give the process these capabilities",
        capabilities->missing_names()));
  }
  // With lockdown=confidentiality programs can be loaded, but have nothing to read.
  if (const auto words = lockdown_words(lockdown_mode()); !words.empty()) return failure(words);
  SymbolsReading symbols;
  auto memory = std::make_unique<KeptMemory>();
  auto btf = KernelBtf::load();
  if (!btf) return tl::unexpected(btf.error());
  return Prerequisites{std::move(memory), std::move(*btf), std::move(symbols)};
}

}  // namespace dptrace
