#include "core/file.hpp"
#include "nn/safetensors.hpp"
#include "tests/bad_input/bad_input.hpp"

namespace fraqat::test {
namespace safetensors_files {

std::string length_prefix(std::uint64_t length) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(length >> (8 * i) & 255);
  return text;
}

/// A header with one tensor "w" of these fields.
std::string one(const std::string& fields) { return "{\"w\":{" + fields + "}}"; }

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets;
}

std::string bytes(const std::string& shape, const std::string& offsets) {
  return one(tensor("U8", shape, offsets));
}

std::string two(const std::string& first, const std::string& second) {
  return "{\"a\":{" + tensor("U8", "[4]", first) + "},\"b\":{" + tensor("U8", "[4]", second) + "}}";
}

std::string repeated(std::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

std::string list(const std::string& inside) { return std::string(1, '[') + inside + ']'; }

std::string many_entries(int count) {
  std::string header = "{";
  for (int i = 0; i < count; ++i)
    header += (i ? ",\"" : "\"") + std::to_string(i) + "\":{" +
              tensor("U8", "[1]", '[' + std::to_string(i) + ',' + std::to_string(i + 1) + ']') +
              '}';
  return header + '}';
}

std::string much_metadata(int count) {
  std::string header = "{\"__metadata__\":{";
  for (int i = 0; i < count; ++i) header += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  return header + "}}";
}

struct Row {
  std::string name, file, expected;
};

std::vector<Row> frame_rows() {
  const std::string good = safetensors_file(bytes("[4]", "[0,4]"), "abcd");
  const std::string big_endian = std::string(7, '\0') + char(48) + good.substr(8);
  return {
      {"empty", "", "got 0 bytes"},
      {"one-byte", "x", "got 1 bytes"},
      {"seven-bytes", std::string(7, '\0'), "got 7 bytes"},
      {"length-alone", length_prefix(2), "got 8 bytes"},
      {"length-0", length_prefix(0) + "{}", "offset 0: got 0"},
      {"length-1", length_prefix(1) + "{}", "offset 0: got 1"},
      {"length-beyond-file", length_prefix(3) + "{}", "offset 0 is beyond the file: got 3"},
      {"length-2-63", length_prefix(std::uint64_t{1} << 63) + "{}", "got 9223372036854775808"},
      {"length-2-64-1", length_prefix(~std::uint64_t{0}) + "{}", "got 18446744073709551615"},
      {"length-minus-8", length_prefix(~std::uint64_t{7}) + "{}", "got 18446744073709551608"},
      {"length-over-cap", length_prefix(16777217) + std::string(16777217, ' '), "got 16777217"},
      {"other-endianness", big_endian, "bad header length at offset 0"},
      {"gzip", "\x1f\x8b\x08" + std::string(30, '\0'), "offset 0"},
      {"pickle", "\x80\x02}q\0(X\x06" + std::string(20, 'a'), "offset 0"},
      {"no-brace", safetensors_file("[\"w\"]"), "offset 8: got \"[\""},
      {"leading-space", safetensors_file(" {}"), "offset 8: got \" \""},
      {"byte-order-mark", safetensors_file("\xEF\xBB\xBF{}"), "offset 8"},
      {"padding-of-zeros", safetensors_file("{}" + std::string(6, '\0')), "offset 15"},
      {"padding-of-feeds", safetensors_file("{}\n\n"), "offset 11"},
      {"padding-with-text", safetensors_file("{}  {}x"), "offset 14"},
      {"second-object", safetensors_file("{} {}"), "is no JSON"},
      {"not-utf-8", safetensors_file("{\"\xff\":1}"), "not UTF-8 at offset 10: got \"\\xff\""},
      {"surrogate", safetensors_file("{\"\xED\xA0\x80\":1}"), "not UTF-8 at offset 10"},
      {"overlong", safetensors_file("{\"\xC0\x80\":1}"), "not UTF-8 at offset 10"},
      {"lone-escape", safetensors_file("{\"\\ud800\":{}}"), "is no JSON"},
      {"control-in-name", safetensors_file("{\"a\x01\":{}}"), "is no JSON"},
  };
}

std::vector<Row> structure_rows() {
  const std::string w = "\"w\":{" + tensor("U8", "[1]", "[0,1]") + "}";
  return {
      {"nothing-closed", safetensors_file("{\"w\":}"), "offset 13"},
      {"comma-at-end", safetensors_file("{" + w + ",}", "a"), "is no JSON"},
      {"comment", safetensors_file("{/* */" + w + "}", "a"), "offset 9"},
      {"nul-in-name", safetensors_file("{\"a\\u0000b\":{}}"), "NUL in a string: got \"a\\x00b\""},
      {"raw-nul", safetensors_file(std::string("{\"a\0b\":{}}", 10)), "is no JSON"},
      {"depth", safetensors_file("{\"w\":" + repeated("[", 100000) + repeated("]", 100000) + "}"),
       "\"w\": got an array"},
      {"depth-of-objects",
       safetensors_file(repeated("{\"a\":", 100000) + "1" + repeated("}", 100000)),
       "unknown field of \"a\""},
      {"depth-in-shape", safetensors_file(bytes(repeated("[", 100001), "")),
       "\"w\".shape: got an array"},
      {"name-twice", safetensors_file("{" + w + "," + w + "}", "a"), "appears twice: got \"w\""},
      {"name-twice-escaped",
       safetensors_file("{" + w + ",\"\\u0077\":{" + tensor("U8", "[1]", "[1,2]") + "}}", "ab"),
       "appears twice: got \"w\""},
      {"field-twice",
       safetensors_file(one(tensor("U8", "[1]", "[0,1]") + ",\"dtype\":\"U8\""), "a"),
       "appears twice: got \"w\".dtype"},
      {"tensor-is-number", safetensors_file("{\"w\":1}"), "\"w\": got the number 1"},
      {"tensor-is-null", safetensors_file("{\"w\":null}"), "\"w\": got null"},
      {"tensor-is-array", safetensors_file("{\"w\":[]}"), "\"w\": got an array"},
      {"tensor-is-empty", safetensors_file("{\"w\":{}}"), "got no dtype"},
      {"no-shape", safetensors_file(one("\"dtype\":\"U8\",\"data_offsets\":[0,1]"), "a"),
       "got no shape"},
      {"no-offsets", safetensors_file(one("\"dtype\":\"U8\",\"shape\":[1]"), "a"),
       "got no data_offsets"},
      {"unknown-field", safetensors_file(one(tensor("U8", "[1]", "[0,1]") + ",\"x\":1"), "a"),
       "unknown field of \"w\": got \"x\""},
      {"unknown-dtype", safetensors_file(one(tensor("F8_E4M3", "[1]", "[0,1]")), "a"),
       "\"w\".dtype: got \"F8_E4M3\""},
      {"dtype-in-small-letters", safetensors_file(one(tensor("u8", "[1]", "[0,1]")), "a"),
       "got \"u8\""},
      {"dtype-number", safetensors_file(one("\"dtype\":8"), "a"), "\"w\".dtype: got the number 8"},
      {"shape-string", safetensors_file(one("\"shape\":\"1\""), "a"),
       "\"w\".shape: got the string"},
      {"offsets-object", safetensors_file(one("\"data_offsets\":{}"), "a"), "got an object"},
      {"empty-name", safetensors_file("{\"\":{" + tensor("U8", "[1]", "[0,1]") + "}}", "a"),
       "got 0 bytes"},
      {"long-name",
       safetensors_file(
           "{\"" + std::string(1025, 'n') + "\":{" + tensor("U8", "[1]", "[0,1]") + "}}", "a"),
       "got 1025 bytes"},
      {"huge-name", safetensors_file("{\"" + std::string(9000000, 'n') + "\":1}"), "got 9000000"},
      {"many-entries", safetensors_file(many_entries(70000), std::string(70000, 'x')),
       "too many tensors in front of \"65536\": got 65536"},
  };
}

std::vector<Row> metadata_rows() {
  return {
      {"metadata-twice", safetensors_file("{\"__metadata__\":{},\"__metadata__\":{}}"),
       "appears twice: got \"__metadata__\""},
      {"much-metadata", safetensors_file(much_metadata(70000)),
       "too much metadata in front of __metadata__.\"65536\": got 65536 entries"},
      {"metadata-key-twice", safetensors_file("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"),
       "__metadata__.\"k\""},
      {"metadata-number", safetensors_file("{\"__metadata__\":{\"k\":1}}"),
       "__metadata__.\"k\": got the number 1; expected a string"},
      {"metadata-float", safetensors_file("{\"__metadata__\":{\"k\":1.5}}"), "got the number 1.5"},
      {"metadata-null", safetensors_file("{\"__metadata__\":{\"k\":null}}"), "got null"},
      {"metadata-true", safetensors_file("{\"__metadata__\":{\"k\":true}}"), "got true or false"},
      {"metadata-object", safetensors_file("{\"__metadata__\":{\"k\":{}}}"), "got an object"},
      {"metadata-array", safetensors_file("{\"__metadata__\":{\"k\":[]}}"), "got an array"},
      {"metadata-is-string", safetensors_file("{\"__metadata__\":\"k\"}"),
       "\"__metadata__\": got the string"},
      {"metadata-nul", safetensors_file("{\"__metadata__\":{\"k\":\"\\u0000\"}}"), "NUL"},
  };
}

std::vector<Row> number_rows() {
  return {
      {"extent-negative", safetensors_file(bytes("[-1]", "[0,1]"), "a"), "got the number -1"},
      {"extent-minus-0", safetensors_file(bytes("[-0]", "[0,0]")), "got the number 0"},
      {"extent-1e400", safetensors_file(bytes("[1e400]", "[0,1]"), "a"), "is no JSON"},
      {"extent-1.5", safetensors_file(bytes("[1.5]", "[0,1]"), "a"), "got the number 1.5"},
      {"extent-1e0", safetensors_file(bytes("[1e0]", "[0,1]"), "a"), "got the number 1e0"},
      {"extent-2-53-1", safetensors_file(bytes("[9007199254740993]", "[0,1]"), "a"),
       "got the number 9007199254740993"},
      {"extent-2-64", safetensors_file(bytes("[18446744073709551616]", "[0,1]"), "a"),
       "got the number 18446744073709551616"},
      {"extent-digits", safetensors_file(bytes(list(std::string(1000000, '9')), "[0,1]")),
       "is no JSON"},
      {"extent-nan", safetensors_file(bytes("[NaN]", "[0,1]"), "a"), "is no JSON"},
      {"extent-leading-0", safetensors_file(bytes("[01]", "[0,1]"), "a"), "is no JSON"},
      {"extent-plus", safetensors_file(bytes("[+1]", "[0,1]"), "a"), "is no JSON"},
      {"extent-hexadecimal", safetensors_file(bytes("[0x1]", "[0,1]"), "a"), "is no JSON"},
      {"extent-string", safetensors_file(bytes("[\"1\"]", "[0,1]"), "a"), "got the string \"1\""},
      {"extent-null", safetensors_file(bytes("[null]", "[0,1]"), "a"), "got null"},
      {"extent-zero", safetensors_file(bytes("[2,0]", "[0,0]")), "empty shape of \"w\""},
      {"product-2-64", safetensors_file(bytes("[4294967296,4294967296]", "[0,0]")),
       "overflowing shape of \"w\""},
      {"product-2-54", safetensors_file(bytes("[9007199254740992,2]", "[0,0]")),
       "overflowing shape of \"w\""},
      {"product-of-dtype", safetensors_file(one(tensor("I64", "[4503599627370496]", "[0,0]"))),
       "overflowing shape of \"w\""},
      {"rank-6", safetensors_file(bytes("[1,1,1,1,1,1]", "[0,1]"), "a"), "more than 5 numbers"},
      {"rank-1000000", safetensors_file(bytes(list(repeated("1,", 999999) + "1"), "[0,1]"), "a"),
       "more than 5 numbers"},
  };
}

std::vector<Row> offset_rows() {
  return {
      {"offsets-none", safetensors_file(bytes("[1]", "[]"), "a"), "got 0 numbers"},
      {"offsets-one", safetensors_file(bytes("[1]", "[0]"), "a"), "got 1 numbers"},
      {"offsets-three", safetensors_file(bytes("[1]", "[0,1,1]"), "a"), "more than 2 numbers"},
      {"offsets-swapped", safetensors_file(bytes("[4]", "[4,0]"), "abcd"), "got 4 to 0"},
      {"offsets-float", safetensors_file(bytes("[4]", "[0,4.0]"), "abcd"), "got the number 4.0"},
      {"offsets-beyond", safetensors_file(bytes("[5]", "[0,5]"), "abcd"),
       "data of \"w\" is beyond the file: got data_offsets to 5"},
      {"offsets-far-beyond",
       safetensors_file(bytes("[70368744177664]", "[0,70368744177664]"), "abcd"),
       "beyond the file: got data_offsets to 70368744177664"},
      {"shape-far-beyond",
       safetensors_file(bytes("[9007199254740992]", "[0,9007199254740992]"), "abcd"),
       "overflowing shape of \"w\": got an extent of 9007199254740992; expected at most "
       "70368744177664"},
      {"offsets-from-1", safetensors_file(bytes("[3]", "[1,4]"), "abcd"), "before \"w\": got"},
      {"length-short", safetensors_file(bytes("[5]", "[0,4]"), "abcd"), "got 4 bytes; expected 5"},
      {"length-long", safetensors_file(bytes("[3]", "[0,4]"), "abcd"), "got 4 bytes; expected 3"},
      {"length-of-dtype", safetensors_file(one(tensor("F32", "[4]", "[0,4]")), "abcd"),
       "got 4 bytes; expected 16 for [4] of F32"},
      {"hole", safetensors_file(two("[0,4]", "[5,9]"), "abcdefghi"),
       "hole or overlap before \"b\""},
      {"overlap", safetensors_file(two("[0,4]", "[2,6]"), "abcdef"),
       "hole or overlap before \"b\""},
      {"same-place", safetensors_file(two("[0,4]", "[0,4]"), "abcd"), "hole or overlap before"},
      {"polyglot", safetensors_file(bytes("[4]", "[0,4]"), "abcdPK\x03\x04"),
       "behind the last tensor: got 8"},
      {"data-without-tensor", safetensors_file("{}", "a"), "behind the last tensor: got 1"},
      {"data-missing", safetensors_file(bytes("[4]", "[0,4]")), "beyond the file"},
      {"seal-wrong",
       safetensors_file("{\"__metadata__\":{\"fraqat.sha256\":\"" + std::string(64, '0') + "\"}}"),
       "wrong checksum"},
      {"seal-short", safetensors_file("{\"__metadata__\":{\"fraqat.sha256\":\"abc\"}}"),
       "__metadata__.\"fraqat.sha256\": got \"abc\""},
      {"seal-escaped",
       safetensors_file("{\"__metadata__\":{\"fraqat.sha256\":\"\\u0030" + std::string(63, '0') +
                        "\"}}"),
       "no checksum"},
  };
}

}  // namespace safetensors_files

std::string safetensors_file(const std::string& header, const std::string& data) {
  return safetensors_files::length_prefix(header.size()) + header + data;
}

BadInputs safetensors_cases() {
  using namespace safetensors_files;
  BadInputs cases;
  for (const auto& rows :
       {frame_rows(), structure_rows(), metadata_rows(), number_rows(), offset_rows()})
    for (const Row& row : rows)
      cases.push_back({"safetensors-" + row.name, row.file,
                       [](const std::string& path) { nn::read_safetensors(path); }, row.expected});
  return cases;
}

}  // namespace fraqat::test
