#include <catch2/catch.hpp>
#include <string>

#include "words/page_text.hpp"

using namespace dptrace;

namespace {

std::string text_of(std::string_view markdown, bool colour = false) {
  Buffer out;
  append_page(out, markdown, Paint(colour));
  return std::string(view(out));
}

}  // namespace

TEST_CASE("headings lose their marks, prose is indented, and words in backticks stand alone") {
  CHECK(text_of("# no-route: nothing matches\n\n## What happened\n\nSet `x = 1`, or\n`y`.\n") ==
        "no-route: nothing matches\n\nWhat happened\n\n  Set x = 1, or y.\n");
}

TEST_CASE("commands stay as they are, further in than the prose") {
  CHECK(text_of("Ask:\n\n    ip rule   # `in order`\n\nThen go on.\n") ==
        "  Ask:\n\n      ip rule   # `in order`\n\n  Then go on.\n");
}

TEST_CASE("the lines of an item begin under its first word") {
  const std::string word(30, 'w');
  CHECK(text_of("- " + word + " " + word + "\n  " + word + "\n- second\n") ==
        "  - " + word + " " + word + "\n    " + word + "\n  - second\n");
}

TEST_CASE("prose is filled up to its last column") {
  const std::string just(kPageColumns - 4, 'j');
  CHECK(text_of("a\n" + just + "\n") == "  a " + just + "\n");
  CHECK(text_of("a " + just + "j\n") == "  a\n  " + just + "j\n");
  CHECK(text_of("a `" + just + "`\n") == "  a " + just + "\n");
  const std::string longer(2 * kPageColumns, 'l');
  CHECK(text_of(longer + " b\n") == "  " + longer + "\n  b\n");
  CHECK(text_of("- " + longer + "\n") == "  - " + longer + "\n");
}

TEST_CASE("colours are for headings and for words in backticks, each word by itself") {
  CHECK(text_of("## What\n\n(`a b`) c\n", true) ==
        "\x1b[1mWhat\x1b[0m\n\n  (\x1b[36ma\x1b[0m \x1b[36mb\x1b[0m) c\n");
}

TEST_CASE("a page that ends anywhere is text") {
  CHECK(text_of("").empty());
  CHECK(text_of("#") == "\n");
  CHECK(text_of("- ") == "  - \n");
  CHECK(text_of("a") == "  a\n");
}
