#include <catch2/catch.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "output/json_line.hpp"

using namespace dptrace;

TEST_CASE("members, objects and arrays are parted by commas, also when they are empty") {
  Buffer text;
  JsonLine json(text, "sample");
  json.object("empty", [] {});
  json.array("none", [] {});
  json.array("list", [&] {
    json.element("a");
    json.element([&] { json.member("b", 1); });
    json.element([&] {
      json.member("c", false);
      json.array("d", [&] { json.element("e"); });
    });
    json.element("f");
  });
  json.member("last", "g");
  CHECK(json.end() == R"({"type":"sample","schema_version":1,"empty":{},"none":[],)"
                      R"("list":["a",{"b":1},{"c":false,"d":["e"]},"f"],"last":"g"})"
                      "\n");
}

TEST_CASE("numbers are as large as they are") {
  Buffer text;
  JsonLine json(text, "n");
  json.member("most", UINT64_MAX);
  json.member("least", INT64_MIN);
  json.member("byte", std::uint8_t{65});
  json.member("rate", 0.1);
  json.member("whole", 600.0);
  json.member("huge", 1e300);
  const auto parsed = nlohmann::json::parse(json.end());
  CHECK(parsed["most"] == UINT64_MAX);
  CHECK(parsed["least"] == INT64_MIN);
  CHECK(parsed["byte"] == 65);
  CHECK(parsed["rate"] == 0.1);
  CHECK(parsed["whole"].is_number_float());
  CHECK(parsed["huge"] == 1e300);
}

TEST_CASE("any string is read back as it was, and what is no UTF-8 is replaced") {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all.push_back(static_cast<char>(c));
  Buffer text;
  JsonLine json(text, "s");
  json.member("ascii", all);
  json.member("words", "µs → ✓");
  json.member("bytes", std::string_view("bad\xff"));
  json.array("list", [&] { json.element("\"\\\n"); });
  const auto line = json.end();
  CHECK(line.find('\n') == line.size() - 1);
  const auto parsed = nlohmann::json::parse(line);
  CHECK(parsed["ascii"] == all);
  CHECK(parsed["words"] == "µs → ✓");
  CHECK(parsed["bytes"] == "bad\xef\xbf\xbd");
  CHECK(parsed["list"][0] == "\"\\\n");
}

TEST_CASE("the text of the line before is gone") {
  Buffer text;
  JsonLine(text, "first").end();
  CHECK(JsonLine(text, "second").end() == "{\"type\":\"second\",\"schema_version\":1}\n");
}
