#include <catch2/catch.hpp>

#include "screen/keys.hpp"

using namespace dptrace;

namespace {

using Keys = std::vector<Key>;
using Kind = KeyKind;

Key character(char c) { return {Kind::kCharacter, c}; }

}  // namespace

TEST_CASE("characters, Enter, Escape and Backspace are one byte each") {
  KeyDecoder decoder;
  CHECK(decoder.feed("q/ ~") ==
        Keys{character('q'), character('/'), character(' '), character('~')});
  CHECK(decoder.feed("\r\n\x7f\b") ==
        Keys{{Kind::kEnter}, {Kind::kEnter}, {Kind::kBackspace}, {Kind::kBackspace}});
  CHECK(decoder.feed("\x1b") == Keys{{Kind::kEscape}});
  CHECK(decoder.feed("q") == Keys{character('q')});
}

TEST_CASE("arrows and pages are known as each terminal sends them") {
  KeyDecoder decoder;
  CHECK(decoder.feed("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1bOF\x1b[1~\x1b[8~") ==
        Keys{{Kind::kUp},
             {Kind::kDown},
             {Kind::kPageUp},
             {Kind::kPageDown},
             {Kind::kHome},
             {Kind::kEnd},
             {Kind::kHome},
             {Kind::kEnd}});
}

TEST_CASE("a key whose bytes come in two reads is one key") {
  KeyDecoder decoder;
  CHECK(decoder.feed("\x1b[").empty());
  CHECK(decoder.feed("6").empty());
  CHECK(decoder.feed("~q") == Keys{{Kind::kPageDown}, character('q')});
}

TEST_CASE("keys without a meaning do not become commands") {
  KeyDecoder decoder;
  CHECK(decoder.feed("\x1b[1;5A") == Keys{{Kind::kOther}});  // Ctrl and up
  CHECK(decoder.feed("\x1b[15~") == Keys{{Kind::kOther}});   // F5
  CHECK(decoder.feed("\xc3\xa4") == Keys{{Kind::kOther}, {Kind::kOther}});
  CHECK(decoder.feed("\t") == Keys{{Kind::kOther}});
  CHECK(decoder.feed("\x1bq") == Keys{{Kind::kEscape}, character('q')});
}

TEST_CASE("bytes that never end a key are not kept for ever") {
  KeyDecoder decoder;
  CHECK_FALSE(decoder.feed("\x1b[" + std::string(100, '1')).empty());
  CHECK(decoder.feed("q").back() == character('q'));
}
