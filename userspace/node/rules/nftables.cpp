// The rules of nftables are read by its own library, which prints them as `nft list table` does.
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <nftables/libnftables.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <memory>
#include <mutex>

#include "model/foreign.hpp"
#include "node/rules/nft_generation.hpp"
#include "node/rules/nft_listing.hpp"
#include "node/rules/rules.hpp"
#include "os/deleter.hpp"

namespace dptrace {

namespace {

using NftContext = std::unique_ptr<nft_ctx, Deleter<nft_ctx_free>>;

constexpr std::size_t kMostRules = 200'000;
constexpr int kAttempts = 5;
constexpr std::chrono::seconds kPatience{10};

// The library keeps its state in variables of its own: one thread at a time may use it.
std::timed_mutex& library() {
  static std::timed_mutex mutex;
  return mutex;
}

const char* family_name(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_ARP:
      return "arp";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return nullptr;
  }
}

// A name is put into a command of nft, and whoever may make tables may give them any name.
bool is_plain(const std::string& name) {
  const auto is_allowed = [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '_' || letter == '-' || letter == '.' ||
           letter == '/' || letter == '\\';
  };
  return !name.empty() &&
         (std::isalpha(static_cast<unsigned char>(name.front())) != 0 || name.front() == '_') &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

// The elements of sets and the values of counters are left out: they may be many, and they change.
Result<std::string> list_table(const std::string& command) {
  const NftContext context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context || nft_ctx_buffer_output(context.get()) != 0 ||
      nft_ctx_buffer_error(context.get()) != 0)
    return failure("libnftables has no memory");
  nft_ctx_output_set_flags(context.get(),
                           NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
  if (nft_run_cmd_from_buffer(context.get(), command.c_str()) != 0)
    return failure(
        fmt::format("nft {}: {}", command, clean_name(nft_ctx_get_error_buffer(context.get()))));
  return std::string(nft_ctx_get_output_buffer(context.get()));
}

}  // namespace

Result<Rules> read_nftables(std::uint8_t family, const std::string& table) {
  const char* name = family_name(family);
  if (name == nullptr || !is_plain(table))
    return failure("the table has a name that nft does not read");
  const std::unique_lock lock(library(), kPatience);
  if (!lock.owns_lock()) return failure("another ruleset of nftables is still being read");
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // The library ends the process when it can have no socket: this question comes first.
    const auto before = nft_generation();
    if (!before) return tl::unexpected(before.error());
    const auto listing = list_table(fmt::format("list table {} {}", name, table));
    const auto after = nft_generation();
    if (!after) return tl::unexpected(after.error());
    if (*after != *before) continue;
    if (!listing) return tl::unexpected(listing.error());
    Rules rules;
    rules.revision = *after;
    rules.texts = parse_nft_listing(*listing, kMostRules);
    return rules;
  }
  return failure(fmt::format("the table {} {} changes all the time", name, table));
}

}  // namespace dptrace
