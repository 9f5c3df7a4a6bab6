#include "capture/tc.hpp"

namespace dptrace {

namespace {

// Up to so many links tcx is ready within a few hundred milliseconds.
constexpr std::size_t kFewLinks = 16;

// clsact where the device is nobody else's, tcx where it is not.
class Mixed final : public Tc {
 public:
  Mixed(std::unique_ptr<Tc> clsact, std::unique_ptr<Tc> tcx)
      : clsact_(std::move(clsact)), tcx_(std::move(tcx)) {}

  std::string_view mechanism() const override { return "clsact, tcx beside others"; }

  Result<> attach(std::uint32_t ifindex, std::uint16_t arp_type) override {
    // A tcx program that says "ok" or redirects keeps packets from clsact.
    if (!has_tcx_programs(ifindex) && clsact_->attach(ifindex, arp_type)) return {};
    return tcx_->attach(ifindex, arp_type);
  }

  std::string what_is_wrong(std::uint32_t ifindex) const override {
    return clsact_->what_is_wrong(ifindex);
  }

  void detach(std::uint32_t ifindex) override {
    clsact_->detach(ifindex);
    tcx_->detach(ifindex);
  }

 private:
  std::unique_ptr<Tc> clsact_;
  std::unique_ptr<Tc> tcx_;
};

}  // namespace

Result<std::unique_ptr<Tc>> choose_tc(TcPrograms programs, bool has_tcx, std::size_t links) {
  if (has_tcx && links <= kFewLinks) return make_tcx(programs);
  auto clsact = make_clsact(programs);
  if (!clsact || !has_tcx) return clsact;
  return std::make_unique<Mixed>(std::move(*clsact), make_tcx(programs));
}

}  // namespace dptrace
