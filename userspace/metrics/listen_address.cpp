#include "metrics/listen_address.hpp"

#include <fmt/format.h>

#include <charconv>

namespace dptrace {

namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::optional<ListenAddress> ListenAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? "127.0.0.1" : text.substr(0, colon);
  const auto port = parse_port(colon == std::string_view::npos ? text : text.substr(colon + 1));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = Address::parse(host);
  // An IPv6 address needs brackets, because `::1:9435` is an address without a port.
  if (!port || !ip || bracketed == ip->is_ipv4()) return std::nullopt;
  return ListenAddress{*ip, *port};
}

std::string ListenAddress::text() const {
  return fmt::format(fmt::runtime(ip.is_ipv4() ? "{}:{}" : "[{}]:{}"), ip.text(), port);
}

}  // namespace dptrace
