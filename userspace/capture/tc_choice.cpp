#include <set>

#include "capture/tc.hpp"

namespace dptrace {

namespace {

// Up to so many links tcx is ready and gone again within a few hundred milliseconds.
constexpr std::size_t kFewLinks = 16;

// tcx on the first few devices, whenever they come. clsact on the others, but where somebody has
// tcx programs: one that says "ok" or redirects keeps packets from clsact.
class Mixed final : public Tc {
 public:
  Mixed(TcPrograms programs, std::unique_ptr<Tc> clsact, std::size_t few)
      : programs_(programs), few_(few), clsact_(std::move(clsact)), tcx_(make_tcx(programs)) {}

  std::string_view mechanism() const override {
    return clsact_ ? "clsact, tcx beside others" : "tcx";
  }

  Result<> attach(std::uint32_t ifindex, std::uint16_t arp_type) override {
    if (by_tcx_.size() >= few_ && !has_tcx_programs(ifindex)) {
      if (auto* clsact = take_clsact(); clsact != nullptr && clsact->attach(ifindex, arp_type))
        return {};
    }
    auto attached = tcx_->attach(ifindex, arp_type);
    if (attached) by_tcx_.insert(ifindex);
    return attached;
  }

  std::string what_is_wrong(std::uint32_t ifindex) const override {
    return clsact_ ? clsact_->what_is_wrong(ifindex) : std::string();
  }

  void detach(std::uint32_t ifindex) override {
    if (clsact_) clsact_->detach(ifindex);
    tcx_->detach(ifindex);
    by_tcx_.erase(ifindex);
  }

 private:
  // Null where it cannot be had; asked for once.
  Tc* take_clsact() {
    if (clsact_ || std::exchange(refused_, true)) return clsact_.get();
    if (auto clsact = make_clsact(programs_)) clsact_ = std::move(*clsact);
    return clsact_.get();
  }

  const TcPrograms programs_;
  const std::size_t few_;
  bool refused_ = false;
  std::unique_ptr<Tc> clsact_;  ///< null before it is needed
  std::unique_ptr<Tc> tcx_;
  std::set<std::uint32_t> by_tcx_;
};

}  // namespace

Result<std::unique_ptr<Tc>> choose_tc(TcPrograms programs, bool has_tcx, std::size_t links) {
  // Also where clsact is not needed now: whoever was killed may have had more devices.
  if (const auto removed = remove_stale_filters(); !removed) return tl::unexpected(removed.error());
  if (has_tcx && links <= kFewLinks) return std::make_unique<Mixed>(programs, nullptr, kFewLinks);
  auto clsact = make_clsact(programs);
  if (!clsact || !has_tcx) return clsact;
  return std::make_unique<Mixed>(programs, std::move(*clsact), 0);
}

}  // namespace dptrace
