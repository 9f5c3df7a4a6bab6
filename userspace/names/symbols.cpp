#include "names/symbols.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

constexpr const char* kFile = "/proc/kallsyms";
// An address farther than this from the start of a function is not in it, because no function is
// that long: it belongs to a module that was loaded later.
constexpr std::uint64_t kLongestFunction = 64 * 1024;

constexpr std::string_view kRemedy =
    "run as root or give CAP_SYSLOG, with sysctl kernel.kptr_restrict 0 or 1";

bool is_text(char type) { return type == 't' || type == 'T' || type == 'w' || type == 'W'; }

// Padding before functions and type hashes (6.2) make up half of all symbols, and no code runs
// there.
bool is_padding(std::string_view name) {
  return name.starts_with("__pfx_") || name.starts_with("__cfi_");
}

// True for a symbol that ends a region of text: no function begins there.
bool is_end(std::string_view name) { return name == "_etext" || name == "_einittext"; }

int hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

struct Line {
  std::uint64_t address = 0;
  char type = 0;
  std::string_view name;
};

// A line is `ffffffff81c0f4e0 t ip_error`; a tab and `[module]` follow the name of a module's
// function.
std::optional<Line> parse_line(std::string_view text) {
  Line line;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const int digit = hexadecimal(text[at]);
    if (digit < 0) break;
    line.address = line.address << 4 | static_cast<std::uint64_t>(digit);
  }
  if (at == 0 || at + 3 >= text.size() || text[at] != ' ' || text[at + 2] != ' ') return {};
  line.type = text[at + 1];
  line.name = text.substr(at + 3);
  line.name = line.name.substr(0, line.name.find('\t'));
  return line;
}

}  // namespace

class Symbols::Builder {
 public:
  Builder() { symbols_.names_.push_back('\0'); }

  /// Returns the text behind the last whole line.
  std::string_view add_lines(std::string_view text) {
    for (;;) {
      const std::size_t end = text.find('\n');
      if (end == std::string_view::npos) return text;
      add(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
  }

  void add(std::string_view text) {
    const auto line = parse_line(text);
    if (!line) return;
    if (line->name == "nf_tables_net_id") symbols_.nf_tables_id_ = line->address;
    if (line->name == "__per_cpu_offset") symbols_.per_cpu_offsets_ = line->address;
    if (!is_text(line->type) || is_padding(line->name)) return;
    if (line->address == 0) {
      hidden_ = true;
      return;
    }
    auto& entries = symbols_.entries_;
    auto& names = symbols_.names_;
    sorted_ &= entries.empty() || entries.back().address <= line->address;
    entries.push_back({line->address, static_cast<std::uint32_t>(names.size())});
    names.append(line->name).push_back('\0');
  }

  Result<Symbols> finish(std::string modules) {
    if (symbols_.entries_.empty() && hidden_) {
      return failure(
          fmt::format("reading {}: the kernel hides its addresses ({})", kFile, kRemedy));
    }
    if (symbols_.entries_.empty()) {
      return failure(
          fmt::format("reading {}: no functions in it (a kernel without CONFIG_KALLSYMS)", kFile));
    }
    if (!sorted_) sort();
    symbols_.entries_.shrink_to_fit();
    symbols_.names_.shrink_to_fit();
    symbols_.modules_ = std::move(modules);
    return std::move(symbols_);
  }

 private:
  void sort() {
    auto& entries = symbols_.entries_;
    auto& names = symbols_.names_;
    const auto lower = [](const Entry& a, const Entry& b) { return a.address < b.address; };
    // The sort is stable, so of several names for one address the first stays first, which the
    // kernel itself prints.
    std::stable_sort(entries.begin(), entries.end(), lower);
    std::string in_order(1, '\0');
    in_order.reserve(names.size());
    for (auto& entry : entries) {
      const char* name = names.c_str() + entry.name;
      entry.name = static_cast<std::uint32_t>(in_order.size());
      in_order.append(name).push_back('\0');
    }
    names = std::move(in_order);
  }

  Symbols symbols_;
  bool hidden_ = false;
  bool sorted_ = true;
};

// A line is `nf_tables 352256 0 - Live 0xffffffffc0a1b000`. Only the name and the address are
// taken, because use counts and users change all the time.
std::string loaded_modules() {
  std::ifstream file("/proc/modules");
  std::string modules, line;
  while (std::getline(file, line)) {
    const auto address = line.find(" 0x");
    modules += line.substr(0, line.find(' '));
    if (address != std::string::npos)
      modules += line.substr(address, line.find(' ', address + 1) - address);
    modules += '\n';
  }
  return modules;
}

// The kernel shows the addresses to a reader who was allowed to see them when the file was opened.
// A service manager may open the file for a service, as its standard input; the service then needs
// no CAP_SYSLOG. The file is then of another mount of procfs, so its kind of file system and its
// name are checked.
bool is_symbols(int fd) {
  struct statfs system {};
  std::array<char, 64> path{};
  if (fstatfs(fd, &system) != 0 || system.f_type != PROC_SUPER_MAGIC) return false;
  const auto length =
      readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), path.data(), path.size());
  return length > 0 &&
         std::string_view(path.data(), static_cast<std::size_t>(length)).ends_with("/kallsyms");
}

OwnedFd open_symbols() {
  if (is_symbols(STDIN_FILENO) && lseek(STDIN_FILENO, 0, SEEK_SET) == 0)
    return OwnedFd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  return OwnedFd(::open(kFile, O_RDONLY | O_CLOEXEC));
}

Result<Symbols> Symbols::load() {
  auto modules = loaded_modules();
  const OwnedFd file = open_symbols();
  if (!file) return failure(fmt::format("opening {}: {}", kFile, std::strerror(errno)));
  Builder builder;
  std::array<char, 65536> buffer;
  std::size_t kept = 0;
  for (;;) {
    const ssize_t got = read(file.get(), buffer.data() + kept, buffer.size() - kept);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(fmt::format("reading {}: {}", kFile, std::strerror(errno)));
    if (got == 0) return builder.finish(std::move(modules));
    const auto rest = builder.add_lines({buffer.data(), kept + static_cast<std::size_t>(got)});
    if (rest.size() == buffer.size()) {
      return failure(fmt::format("reading {}: a line without an end", kFile));
    }
    kept = rest.size();
    std::memmove(buffer.data(), rest.data(), kept);
  }
}

Result<Symbols> Symbols::parse(std::string_view text, std::string modules) {
  Builder builder;
  builder.add(builder.add_lines(text));
  return builder.finish(std::move(modules));
}

std::optional<Symbol> Symbols::find(std::uint64_t return_address) const {
  if (return_address == 0) return {};
  const std::uint64_t address = return_address - 1;
  const auto after = std::upper_bound(
      entries_.begin(), entries_.end(), address,
      [](std::uint64_t value, const Entry& entry) { return value < entry.address; });
  if (after == entries_.begin()) return {};
  const std::uint64_t start = std::prev(after)->address;
  if (address - start >= kLongestFunction) return {};
  const auto first = std::lower_bound(
      entries_.begin(), after, start,
      [](const Entry& entry, std::uint64_t value) { return entry.address < value; });
  const char* name = names_.data() + first->name;
  if (is_end(name)) return {};
  return Symbol{name, start};
}

std::optional<std::uint64_t> Symbols::address(std::string_view name) const {
  std::string wanted(1, '\0');
  wanted.append(name).push_back('\0');
  const auto* at =
      static_cast<const char*>(memmem(names_.data(), names_.size(), wanted.data(), wanted.size()));
  if (at == nullptr || name.empty()) return {};
  const auto offset = static_cast<std::uint32_t>(at - names_.data() + 1);
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), offset,
                       [](const Entry& entry, std::uint32_t value) { return entry.name < value; });
  return found->address;
}

std::vector<dpt_range> Symbols::ranges(bool is_wanted(std::string_view name)) const {
  std::vector<dpt_range> ranges;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (!is_wanted(names_.data() + entry->name)) continue;
    const auto next = std::find_if(
        entry, entries_.end(), [&](const Entry& other) { return other.address != entry->address; });
    if (next == entries_.end() || next->address - entry->address > kLongestFunction) continue;
    if (!ranges.empty() && ranges.back().begin == entry->address) continue;
    ranges.push_back({entry->address, next->address - entry->address});
  }
  return ranges;
}

Result<Symbols>& SymbolsReading::wait() {
  if (!symbols_) symbols_ = pending_.get();
  return *symbols_;
}

}  // namespace dptrace
