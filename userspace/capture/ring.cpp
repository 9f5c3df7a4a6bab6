#include "capture/ring.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dptrace {

namespace {

// A header is before each record: its size with two flags, and a page offset that is the kernel's
// own.
constexpr std::size_t kHeader = BPF_RINGBUF_HDR_SZ;

std::uint64_t round_up(std::uint64_t size) { return (size + 7) / 8 * 8; }

// Positions are the kernel's unsigned long, which has the same size here.
std::uint64_t load(const std::byte* position) {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(position), __ATOMIC_ACQUIRE);
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::open(int map) {
  const auto failed = [] {
    return failure(fmt::format("mapping the ring buffer: {}", std::strerror(errno)));
  };
  bpf_map_info info{};
  std::uint32_t info_size = sizeof info;
  if (bpf_obj_get_info_by_fd(map, &info, &info_size) != 0) return failed();
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t size = info.max_entries;
  auto consumer = Mapping::of(map, page, PROT_READ | PROT_WRITE, 0);
  if (!consumer) return failed();
  auto producer = Mapping::of(map, page + size, PROT_READ, page);
  if (!producer) return failed();
  OwnedFd wake_ups(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (!wake_ups || epoll_ctl(wake_ups.get(), EPOLL_CTL_ADD, map, &event) != 0) return failed();
  return std::unique_ptr<Ring>(
      new Ring(std::move(wake_ups), size, std::move(consumer), std::move(producer)));
}

Ring::Ring(OwnedFd wake_ups, std::size_t size, Mapping consumer, Mapping producer)
    : wake_ups_(std::move(wake_ups)),
      size_(size),
      consumer_(std::move(consumer)),
      producer_(std::move(producer)),
      records_(producer_.data() + sysconf(_SC_PAGESIZE)) {}

std::span<const std::byte> Ring::record(std::uint64_t position, std::size_t size) {
  const std::size_t begin = (position + kHeader) & (size_ - 1);
  const std::size_t first = std::min(size, size_ - begin);
  if (first == size) return {records_ + begin, size};
  joined_.assign(records_ + begin, records_ + size_);
  joined_.insert(joined_.end(), records_, records_ + (size - first));
  return joined_;
}

bool Ring::empty() const { return load(producer_.data()) == load(consumer_.data()); }

void Ring::read(const Receiver& receive) {
  epoll_event woken{};
  epoll_wait(wake_ups_.get(), &woken, 1, 0);  // fd() becomes readable again with the next wake-up
  auto* const read_to = reinterpret_cast<std::uint64_t*>(consumer_.data());
  const std::uint64_t end = load(producer_.data());
  bool wanted = true;
  for (std::uint64_t position = *read_to; position < end && wanted;) {
    const auto* header =
        reinterpret_cast<const std::uint32_t*>(records_ + (position & (size_ - 1)));
    const std::uint32_t length = __atomic_load_n(header, __ATOMIC_ACQUIRE);
    if ((length & BPF_RINGBUF_BUSY_BIT) != 0) break;
    const std::uint32_t size = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    if ((length & BPF_RINGBUF_DISCARD_BIT) == 0) wanted = receive(record(position, size));
    position += round_up(kHeader + size);
    __atomic_store_n(read_to, position, __ATOMIC_RELEASE);
  }
}

}  // namespace dptrace
