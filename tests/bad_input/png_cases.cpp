#include "data/png.hpp"
#include "tests/bad_input/bad_input.hpp"
#include "tests/support/png_writer.hpp"

namespace fraqat::test {
namespace png_files {

using png::chunk;

const std::string start(png::signature);
const std::string end = chunk("IEND", "");

/// A black gray image's data.
std::string black(std::size_t width, std::size_t height) {
  return png::compressed(std::string((width + 1) * height, '\0'));
}

std::string idat(std::string_view bytes) { return chunk("IDAT", bytes); }

std::string gray28() { return start + png::header(28, 28, 8, 0); }

std::string good() { return gray28() + idat(black(28, 28)) + end; }

/// 28 x 28 with this header chunk.
std::string with_header(const std::string& header) {
  return start + header + idat(black(28, 28)) + end;
}

std::string altered(std::size_t position) {
  std::string file = good();
  file[position] ^= 1;
  return file;
}

/// A chunk that claims another length than it has.
std::string lying_chunk(std::uint32_t length, const std::string& type) {
  return png::big_endian(length) + type + std::string(20, 'x');
}

struct Row {
  std::string name, file, expected;
};

std::vector<Row> container_rows() {
  const std::string file = good();
  return {
      {"empty", "", "signature at offset 0"},
      {"signature-cut", file.substr(0, 7), "signature at offset 0"},
      {"signature-alone", start, "got 0 bytes at offset 8"},
      {"signature-as-text", "\x89PNG\n\x1a\n" + file.substr(8), "signature at offset 0"},
      {"is-gif", "GIF89a" + std::string(50, '\1'), "got \"GIF89a"},
      {"is-jpeg", "\xff\xd8\xff\xe0" + std::string(50, '\1'), "signature at offset 0"},
      {"is-bmp", "BM" + std::string(100, '\1'), "signature at offset 0"},
      {"is-hdr", "#?RADIANCE\n" + std::string(100, ' '), "signature at offset 0"},
      {"is-pgm", "P5 28 28 255\n" + std::string(784, ' '), "signature at offset 0"},
      {"cut-in-header", file.substr(0, 20), "offset 8"},
      {"cut-in-data", file.substr(0, 45), "offset 33"},
      {"cut-before-end", file.substr(0, file.size() - 12), "file ends before IEND: got 0 bytes"},
      {"cut-in-end", file.substr(0, file.size() - 1), "file ends before IEND: got 11 bytes"},
      {"crc-of-header", altered(20), "wrong CRC of chunk \"IHDR\" at offset 8"},
      {"crc-of-data", altered(44), "wrong CRC of chunk \"IDAT\" at offset 33"},
      {"crc-of-end", altered(file.size() - 1), "wrong CRC of chunk \"IEND\""},
      {"length-0x7ffffff0", gray28() + lying_chunk(0x7ffffff0, "IDAT"),
       "got a length of 2147483632"},
      {"length-900-mb", gray28() + lying_chunk(900000000, "IDAT"), "got a length of 900000000"},
      {"length-2-32-1", gray28() + lying_chunk(0xffffffff, "tEXt"), "got a length of 4294967295"},
      {"trailing-bytes", file + "PK\x03\x04", "bytes behind the last chunk"},
      {"data-in-end", gray28() + idat(black(28, 28)) + chunk("IEND", "x"),
       "data in the last chunk"},
      {"too-large", std::string(data::max_png_bytes + 1, 'x'), "too large"},
      {"no-header", start + idat(black(28, 28)) + end, "in chunk \"IDAT\" at offset 8"},
      {"apple-chunk-first", start + chunk("CgBI", "P \2") + file.substr(8), "\"CgBI\" at offset 8"},
      {"short-header", start + chunk("IHDR", "12345678") + end, "\"IHDR\" at offset 8"},
      {"header-twice", gray28() + png::header(28, 28, 8, 0) + idat(black(28, 28)) + end,
       "unknown critical chunk in chunk \"IHDR\" at offset 33"},
      {"unknown-critical", gray28() + chunk("QQQQ", "") + idat(black(28, 28)) + end,
       "\"QQQQ\" at offset 33"},
      {"data-interrupted",
       gray28() + idat(black(28, 28).substr(0, 4)) + chunk("tEXt", "x") +
           idat(black(28, 28).substr(4)) + end,
       "interrupted image data"},
      {"newline-in-type", gray28() + chunk("A\nBC", "") + idat(black(28, 28)) + end,
       "\"A\\x0aBC\""},
  };
}

std::vector<Row> header_rows() {
  return {
      {"width-0", with_header(png::header(0, 28, 8, 0)), "bad image size"},
      {"height-0", with_header(png::header(28, 0, 8, 0)), "bad image size"},
      {"width-2-31", with_header(png::header(0x80000000u, 1, 8, 0)), "got 2147483648"},
      {"width-2-32-1", with_header(png::header(0xffffffffu, 0xffffffffu, 8, 0)), "got 4294967295"},
      {"30000-x-30000", with_header(png::header(30000, 30000, 8, 0)), "got 30000"},
      {"1-x-10-million", with_header(png::header(1, 10000000, 8, 0)), "got 10000000"},
      {"8192-x-8192", with_header(png::header(8192, 8192, 8, 6)), "got 67108864"},
      {"colour-1", with_header(png::header(28, 28, 8, 1)), "unknown colour type"},
      {"colour-7", with_header(png::header(28, 28, 8, 7)), "unknown colour type"},
      {"depth-0", with_header(png::header(28, 28, 0, 0)), "bad bit depth"},
      {"depth-3", with_header(png::header(28, 28, 3, 0)), "bad bit depth"},
      {"depth-32", with_header(png::header(28, 28, 32, 0)), "bad bit depth"},
      {"depth-4-of-colour", with_header(png::header(28, 28, 4, 2)), "bad bit depth"},
      {"depth-16-of-palette", with_header(png::header(28, 28, 16, 3)), "bad bit depth"},
      {"interlace-2", with_header(png::header(28, 28, 8, 0, 2)), "interlace"},
      {"compression-1",
       with_header(chunk(
           "IHDR", png::big_endian(28) + png::big_endian(28) + std::string("\x08\0\x01\0\0", 5))),
       "compression or filter method"},
      {"filter-method-64",
       with_header(chunk(
           "IHDR", png::big_endian(28) + png::big_endian(28) + std::string("\x08\0\0\x40\0", 5))),
       "got 64"},
  };
}

std::vector<Row> data_rows() {
  const std::string palette_image = start + png::header(28, 28, 8, 3);
  std::string adler = black(28, 28);
  adler.back() ^= 1;
  std::string filter_5(29 * 28, '\0');
  filter_5[29 * 13] = 5;
  return {
      {"no-data", gray28() + end, "got 0 bytes from IDAT"},
      {"empty-data", gray28() + idat("") + end, "got 0 bytes from IDAT"},
      {"data-not-zlib", gray28() + idat(std::string(100, 'x')) + end, "damaged"},
      {"data-cut", gray28() + idat(black(28, 28).substr(0, 10)) + end, "damaged"},
      {"data-short", gray28() + idat(black(28, 27)) + end, "got 783 bytes from IDAT"},
      {"data-long", gray28() + idat(black(28, 29)) + end, "more than 812 bytes"},
      {"data-with-tail", gray28() + idat(black(28, 28) + "tail") + end, "4 left over"},
      {"adler", gray28() + idat(adler) + end, "damaged"},
      {"filter-5", gray28() + idat(png::compressed(filter_5)) + end, "invalid filter"},
      {"bomb", gray28() + idat(png::compressed(std::string(100000000, '\0'))) + end,
       "more than 812 bytes"},
      {"palette-missing", palette_image + idat(black(28, 28)) + end, "missing palette"},
      {"palette-late", palette_image + idat(black(28, 28)) + chunk("PLTE", "abc") + end,
       "missing palette"},
      {"palette-of-4", palette_image + chunk("PLTE", "abcd") + idat(black(28, 28)) + end, "got 4"},
      {"palette-empty", palette_image + chunk("PLTE", "") + idat(black(28, 28)) + end, "got 0"},
      {"palette-of-257",
       palette_image + chunk("PLTE", std::string(771, 'x')) + idat(black(28, 28)) + end, "got 771"},
      {"palette-twice",
       palette_image + chunk("PLTE", "abc") + chunk("PLTE", "abc") + idat(black(28, 28)) + end,
       "palette out of place"},
      {"palette-of-gray", gray28() + chunk("PLTE", "abc") + idat(black(28, 28)) + end,
       "palette out of place"},
  };
}

}  // namespace png_files

BadInputs png_cases() {
  using namespace png_files;
  BadInputs cases;
  for (const auto& rows : {container_rows(), header_rows(), data_rows()})
    for (const Row& row : rows)
      cases.push_back({"png-" + row.name, row.file,
                       [](const std::string& path) { data::read_png(path); }, row.expected});
  return cases;
}

}  // namespace fraqat::test
