#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "causes/pages.hpp"
#include "explain/cause.hpp"
#include "words/page_text.hpp"

using namespace dptrace;

namespace {

constexpr std::array<std::string_view, 5> kSections = {"## What happened", "## How it shows",
                                                       "## What proves it", "## What mends it",
                                                       "## How it comes about on Kubernetes"};

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string plain(std::string_view markdown) {
  Buffer out;
  append_page(out, markdown, Paint(false));
  return std::string(view(out));
}

}  // namespace

TEST_CASE("every page of docs/causes is in the program under the name of its file") {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(DPTRACE_CAUSES)) {
    const auto& path = entry.path();
    INFO(path);
    REQUIRE(path.extension() == ".md");
    files.insert(path.stem().string());
    const CausePage* page = find_cause_page(path.stem().string());
    REQUIRE(page != nullptr);
    CHECK(page->text == file_text(path));
  }
  CHECK(files.size() == cause_pages().size());
}

TEST_CASE("a page begins with its cause and what happened") {
  for (const auto& page : cause_pages()) {
    INFO(page.identifier);
    CHECK(page.text.starts_with("# " + std::string(page.identifier) + ": " +
                                std::string(page.sentence) + "\n\n"));
    CHECK(std::islower(static_cast<unsigned char>(page.sentence.front())) != 0);
    CHECK(page.sentence.back() != '.');
  }
}

TEST_CASE("a page has all sections in their order, and something in each") {
  for (const auto& page : cause_pages()) {
    INFO(page.identifier);
    const auto lines = lines_of(page.text);
    std::vector<std::string> headings;
    std::copy_if(lines.begin() + 1, lines.end(), std::back_inserter(headings),
                 [](const std::string& line) { return line.starts_with('#'); });
    CHECK(std::equal(headings.begin(), headings.end(), kSections.begin(), kSections.end()));
    for (std::size_t i = 1; i < lines.size(); ++i) {
      if (!lines[i].starts_with('#')) continue;
      REQUIRE(i + 2 < lines.size());
      CHECK(lines[i + 1].empty());
      CHECK_FALSE(lines[i + 2].starts_with('#'));
    }
  }
}

TEST_CASE("a page tells all four kernels, and is short") {
  for (const auto& page : cause_pages()) {
    INFO(page.identifier);
    const auto count = lines_of(page.text).size();
    CHECK(count >= 25);
    CHECK(count <= 45);
    if (page.identifier == "unknown") continue;
    const auto shows = page.text.substr(page.text.find(kSections[1]));
    for (const auto* kernel : {"5.10", "6.1", "6.12", "7.2"}) {
      INFO(kernel);
      const bool all = shows.find("All kernels") != shows.npos;
      CHECK((all || shows.find(kernel) < shows.find(kSections[2])));
    }
  }
}

TEST_CASE("a page is ASCII in the marks that the program knows, and fits the screen") {
  for (const auto& page : cause_pages()) {
    INFO(page.identifier);
    CHECK(std::all_of(page.text.begin(), page.text.end(),
                      [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
    CHECK(std::count(page.text.begin(), page.text.end(), '`') % 2 == 0);
    for (const auto* mark : {"**", "```", "](", "\n* ", "\n| ", "\n  - ", "\n### "}) {
      INFO(mark);
      CHECK(page.text.find(mark) == page.text.npos);
    }
    const std::string text = plain(page.text);
    for (const auto& line : lines_of(text)) {
      INFO(line);
      CHECK(columns(line) <= kColumns);
    }
    CHECK(text.find('`') == text.npos);
    CHECK(text.find("\n\n\n") == text.npos);
  }
}

TEST_CASE("a cause has one page, and other names have none") {
  std::set<std::string_view> names;
  for (const auto& page : cause_pages()) names.insert(page.identifier);
  CHECK(names.size() == cause_pages().size());
  REQUIRE(find_cause_page("no-route") != nullptr);
  CHECK(find_cause_page("no-route")->identifier == "no-route");
  CHECK(find_cause_page("no-rout") == nullptr);
  CHECK(find_cause_page("") == nullptr);
}

TEST_CASE("every cause that a drop may be told to have has a page") {
  for (const auto family : {&routing_causes, &neighbour_causes, &tunnel_causes, &socket_causes,
                            &protocol_causes, &netfilter_causes, &conntrack_causes, &ipsec_causes,
                            &link_causes, &bridge_causes, &queue_causes, &filter_causes}) {
    for (const Cause& cause : family()) {
      INFO(cause.name);
      CHECK(find_cause_page(cause.name) != nullptr);
    }
  }
  for (const std::string_view name : {"netfilter-rule", "netfilter-policy", "unknown"})
    CHECK(find_cause_page(name) != nullptr);
  CHECK(unexplained().cause == "unknown");
}
