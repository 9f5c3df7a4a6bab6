#include "run/asking.hpp"

namespace dptrace {

Explainer::Begin asking(Namer& namer, const Names& names) {
  using Answers = Result<Explainer::Answers>;
  return [&](std::uint32_t inode, Explainer::Questions questions) -> Result<Inquiry<Answers>> {
    auto ask = [questions = std::move(questions)]() -> Answers { return answer_here(questions); };
    if (inode == names.home_netns) return Inquiry<Answers>::begin(std::move(ask));
    auto netns = namer.open_netns(inode);
    if (!netns) return tl::unexpected(netns.error());
    return Inquiry<Answers>::begin(entering(std::move(*netns), std::move(ask)));
  };
}

}  // namespace dptrace
