// The rules of nftables are printed by its own library, as `nft list table` does. Where each one
// is, and what the library does not print, is told by the kernel.
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <malloc.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <mutex>

#include "model/foreign.hpp"
#include "node/rules/nft_dump.hpp"
#include "node/rules/nft_generation.hpp"
#include "node/rules/nft_library.hpp"
#include "node/rules/nft_listing.hpp"
#include "node/rules/rules.hpp"

namespace dptrace {

namespace {

// The library takes some 4 KiB of memory for each rule: of a larger table only the places of rules
// are told, and those of so many.
constexpr std::size_t kMostRules = 40'000;
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
Result<std::string> list_in(const NftLibrary& nft, nft_ctx* context, const std::string& command) {
  if (nft.buffer_output(context) != 0 || nft.buffer_error(context) != 0)
    return failure("libnftables has no memory");
  nft.set_flags(context, NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
  if (nft.run(context, command.c_str()) != 0)
    return failure(fmt::format("nft {}: {}", command, clean_name(nft.error(context))));
  return std::string(nft.output(context));
}

// Nothing is printed where the library is not installed: then only the places of rules are told.
Result<std::string> list_table(const std::string& command) {
  const auto& nft = NftLibrary::get();
  if (!nft) return std::string();
  nft_ctx* context = nft->context_new(NFT_CTX_DEFAULT);
  if (context == nullptr) return failure("libnftables has no memory");
  auto listing = list_in(*nft, context, command);
  nft->context_free(context);
  malloc_trim(0);  // of 20,000 rules the library had 70 MiB in small pieces
  return listing;
}

// The kernel's name of a chain that stands in the braces of a rule.
constexpr std::string_view kInBraces = "__chain";

// Adds what the kernel tells of each rule.
void add_rules(NftListing& listing, const std::vector<NftRule>& rules) {
  std::map<std::string, std::uint64_t> braces;  // the rule that has the chain
  for (const auto& rule : rules) {
    if (rule.jump.starts_with(kInBraces)) braces[rule.jump] = rule.handle;
  }
  std::map<std::string, std::uint32_t> numbers;
  for (const auto& rule : rules) {
    auto& text = listing.texts[rule.handle];
    text.chain = clean_name(rule.chain);
    text.number = ++numbers[rule.chain];
    if (const auto outer = braces.find(rule.chain); outer != braces.end()) {
      const auto& printed = listing.in_braces[outer->second];
      if (text.number <= printed.size()) text.text = printed[text.number - 1];
    }
    for (const auto& comment : rule.comments)
      text.text += fmt::format("{}comment \"{}\"", text.text.empty() ? "" : " ", comment);
    if (!rule.comments.empty()) text.text = clean_name(text.text);
  }
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
    const auto dumped = nft_dump(family, table, kMostRules);
    const bool is_small = dumped && dumped->size() < kMostRules;
    const auto listing = is_small ? list_table(fmt::format("list table {} {}", name, table))
                                  : Result<std::string>(std::string());
    const auto after = nft_generation();
    if (!after) return tl::unexpected(after.error());
    if (*after != *before) continue;
    if (!listing) return tl::unexpected(listing.error());
    if (!dumped) return tl::unexpected(dumped.error());
    auto printed = parse_nft_listing(*listing, kMostRules);
    add_rules(printed, *dumped);
    return Rules{*after, 0, std::move(printed.texts)};
  }
  return failure(fmt::format("the table {} {} changes all the time", name, table));
}

std::string why_no_nftables_text() {
  const auto& nft = NftLibrary::get();
  return nft ? std::string() : nft.error().message + ": install the package libnftables1";
}

}  // namespace dptrace
