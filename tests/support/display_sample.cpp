// The display with a made-up table that renews itself, for the cases that end it in every way.
//
//   display_sample [throw|catch|exit|default-signals]
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "screen/drop_display.hpp"

using namespace dptrace;

namespace {

constexpr int kRenewMs = 20;
constexpr std::uint64_t kTablesBeforeTheEnd = 3;

DropTableText table_words(const DropTable& table, const Names&, const DropTableStyle& style) {
  DropTableText text;
  text.title = {fmt::format("table {}", table.time_ns)};
  text.head = {"REASON → LAST"};
  for (const DropRow& row : table.rows) {
    const auto line = fmt::format("REASON{:02} {}", *row.kind.reason, std::string(300, '.'));
    text.rows.push_back({&row, {style.colour ? "\x1b[36m" + line + "\x1b[0m" : line}});
  }
  return text;
}

std::vector<std::string> row_words(const DropRow& row, const Names&, const DropTableStyle&) {
  return {fmt::format("packets of REASON{:02}", *row.kind.reason)};
}

DropTable sample_table(std::uint64_t number) {
  DropTable table;
  table.time_ns = number;
  for (std::uint32_t reason = 0; reason < 40; ++reason) {
    table.rows.emplace_back();
    table.rows.back().kind.reason = reason;
  }
  return table;
}

// As a command takes them: see os/stop.cpp.
OwnedFd take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return OwnedFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

int run(std::string_view end) {
  const OwnedFd signals = end == "default-signals" ? OwnedFd() : take_signals();
  auto terminal = Terminal::open();
  if (!terminal) {
    fmt::print(stderr, "display_sample: {}\n", terminal.error().message);
    return 1;
  }
  const Names names;
  const bool colour = std::getenv("NO_COLOR") == nullptr;
  DropDisplay display(std::move(*terminal), names,
                      {.colour = colour, .words = {table_words, row_words}});
  for (std::uint64_t number = 1;; ++number) {
    pollfd ready[] = {{display.fd(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
    const int count = poll(ready, 2, kRenewMs);
    if (count > 0 && ready[1].revents != 0) return 0;
    if (count > 0 && ready[0].revents != 0 && !display.handle_input()) return 0;
    if (!display.show(sample_table(number))) return 0;
    if (number < kTablesBeforeTheEnd) continue;
    if (end == "throw" || end == "catch") throw std::runtime_error("thrown");
    if (end == "exit") std::exit(7);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view end = argc > 1 ? argv[1] : "";
  if (end != "catch") return run(end);
  try {
    return run(end);
  } catch (const std::exception&) {
    return 8;
  }
}
