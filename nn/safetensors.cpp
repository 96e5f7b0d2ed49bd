#include "nn/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/file.hpp"
#include "core/text.hpp"
#include "nn/safetensors_header.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "the format's numbers are copied as is");

constexpr std::size_t alignment = 64;
constexpr std::uint64_t max_file_bytes = std::uint64_t{1} << 34;
constexpr std::string_view seal_key = "fraqat.sha256";
const std::string open_seal(64, '0');

std::string who(std::string_view origin) { return "[safetensors] " + in_quotes(origin) + ": "; }

/// The JSON text, with the padding behind it cut off.
std::string_view header_text(std::span<const std::byte> file, std::string_view origin) {
  check_input(file.size() >= length_bytes + 2, who(origin), "file is too short: got ", file.size(),
              " bytes; expected at least ", length_bytes + 2);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), length_bytes);
  check_input(length >= 2 && length <= max_header_bytes, who(origin),
              "bad header length at offset 0: got ", length, "; expected 2 to ", max_header_bytes);
  check_input(length <= file.size() - length_bytes, who(origin),
              "header length at offset 0 is beyond the file: got ", length, "; expected at most ",
              file.size() - length_bytes);
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + length_bytes, length);
  check_input(text.front() == '{', who(origin), "header does not begin with { at offset ",
              length_bytes, ": got ", in_quotes(text.substr(0, 1)), "; expected {");
  const std::size_t valid = valid_utf8_length(text);
  check_input(valid == text.size(), who(origin), "header is not UTF-8 at offset ",
              length_bytes + valid, ": got ", in_quotes(text.substr(valid, 1)), "; expected UTF-8");
  const std::size_t last = text.find_last_not_of(' ');
  check_input(text[last] == '}', who(origin), "header does not end with } at offset ",
              length_bytes + last, ": got ", in_quotes(text.substr(last, 1)),
              "; expected } and spaces");
  return text.substr(0, last + 1);
}

/// Sorts by position and refuses holes, overlaps and bytes that belong to nobody.
void check_coverage(std::vector<SafeTensorsHeader::Item>& items, std::size_t data_bytes,
                    std::string_view origin) {
  std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const auto& item : items) {
    if (item.begin != covered)
      fail(Error::Kind::input, who(origin), "hole or overlap before ", in_quotes(item.name),
           ": got data_offsets from ", item.begin, "; expected ", covered);
    if (item.end > data_bytes)
      fail(Error::Kind::input, who(origin), "data of ", in_quotes(item.name),
           " is beyond the file: got data_offsets to ", item.end, "; expected at most ",
           data_bytes);
    covered = item.end;
  }
  check_input(covered == data_bytes, who(origin), "bytes behind the last tensor: got ", data_bytes,
              " bytes of data; expected ", covered);
}

/// Where the 64 digits of the seal are: behind its key, in a header of ours.
std::size_t seal_position(std::string_view file, std::string_view digits) {
  std::string pattern = "\"";
  pattern.append(seal_key).append("\":\"").append(digits).append("\"");
  const std::size_t found = file.find(pattern);
  return found == std::string_view::npos ? found : found + seal_key.size() + 4;
}

std::string sealing_digest(std::span<const std::byte> file, std::size_t position) {
  std::vector<std::byte> copy(file.begin(), file.end());
  std::memcpy(copy.data() + position, open_seal.data(), open_seal.size());
  return sha256(copy);
}

/// Takes the seal out of the metadata, after comparing it with the file.
void verify_seal(SafeTensors& tensors, std::span<const std::byte> file, std::string_view origin) {
  const auto seal = tensors.metadata.find(std::string(seal_key));
  if (seal == tensors.metadata.end()) return;
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const std::size_t position = seal_position(text, seal->second);
  check_input(seal->second.size() == open_seal.size() && position != std::string_view::npos,
              who(origin), "no checksum at __metadata__.", in_quotes(seal_key), ": got ",
              in_quotes(seal->second, 80), "; expected 64 hexadecimal digits");
  const std::string digest = sealing_digest(file, position);
  check_input(digest == seal->second, who(origin), "wrong checksum at __metadata__.",
              in_quotes(seal_key), ": got ", in_quotes(digest), " for the file; expected ",
              in_quotes(seal->second));
  tensors.metadata.erase(seal);
  tensors.sealed = true;
}

std::string json_string(std::string_view text, std::string_view what) {
  check(valid_utf8_length(text) == text.size() && text.find('\0') == std::string_view::npos,
        "[safetensors] ", what, " cannot be written: got ", in_quotes(text),
        "; expected UTF-8 without NUL");
  return nlohmann::json(text).dump();
}

void append_metadata(std::string& header, const SafeTensors& tensors) {
  for (const auto& [key, value] : tensors.metadata)  // \"KEY, too, would be taken for the seal
    check(!key.ends_with(seal_key), "[safetensors] metadata cannot be written: got key ",
          in_quotes(key), "; expected one that does not end with ", in_quotes(seal_key));
  auto metadata = tensors.metadata;
  if (tensors.sealed) metadata[std::string(seal_key)] = open_seal;
  if (metadata.empty()) return;
  header += "\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (header.back() != '{') header += ',';
    header += json_string(key, "metadata") + ':' + json_string(value, "metadata");
  }
  header += '}';
}

void append_entry(std::string& header, const SafeTensors::Entry& entry, std::size_t begin) {
  const std::string name = json_string(entry.name, "name");
  const auto expected = static_cast<std::size_t>(entry.shape.size() * dtype_bytes(entry.dtype));
  check(entry.bytes.size() == expected && expected > 0, "[safetensors] wrong number of bytes in ",
        name, ": got ", entry.bytes.size(), "; expected ", expected, ", and not 0, for ",
        entry.shape, " of ", dtype_name(entry.dtype));
  if (header.size() > 1) header += ',';
  header += name + ":{\"dtype\":\"" + std::string(dtype_name(entry.dtype)) + "\",\"shape\":[";
  for (Index d : entry.shape.dims()) {
    if (header.back() != '[') header += ',';
    header += std::to_string(d);
  }
  header += "],\"data_offsets\":[" + std::to_string(begin) + ',' +
            std::to_string(begin + entry.bytes.size()) + "]}";
}

/// The header with its padding; refuses what parse_safetensors would refuse.
std::string header_of(const SafeTensors& tensors) {
  std::string header = "{";
  append_metadata(header, tensors);
  std::set<std::string_view> names{"__metadata__", ""};
  std::size_t begin = 0;
  for (const auto& entry : tensors.entries) {
    check(names.insert(entry.name).second && entry.name.size() <= max_name_bytes,
          "[safetensors] name cannot be written: got ", in_quotes(entry.name),
          "; expected a new one of 1 to ", max_name_bytes, " bytes");
    append_entry(header, entry, begin);
    begin += entry.bytes.size();
  }
  header += '}';
  header.append((alignment - (length_bytes + header.size()) % alignment) % alignment, ' ');
  check(header.size() <= max_header_bytes && tensors.entries.size() <= max_entries,
        "[safetensors] too much to write: got ", tensors.entries.size(),
        " tensors and a header of ", header.size(), " bytes; expected at most ", max_entries,
        " and ", max_header_bytes);
  return header;
}

}  // namespace

std::string_view dtype_name(DType dtype) {
  constexpr std::array<std::string_view, 6> names = {"F32", "F64", "U8", "I8", "I32", "I64"};
  return names[static_cast<std::size_t>(dtype)];
}

Index dtype_bytes(DType dtype) {
  constexpr std::array<Index, 6> sizes = {4, 8, 1, 1, 4, 8};
  return sizes[static_cast<std::size_t>(dtype)];
}

const SafeTensors::Entry* SafeTensors::find(std::string_view name) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

SafeTensors parse_safetensors(std::span<const std::byte> file, std::string_view origin) {
  const std::string_view text = header_text(file, origin);
  SafeTensorsHeader header = parse_safetensors_header(text, origin);
  std::uint64_t padded = 0;
  std::memcpy(&padded, file.data(), length_bytes);
  const auto data = file.subspan(length_bytes + padded);
  check_coverage(header.items, data.size(), origin);

  SafeTensors tensors;
  tensors.metadata = std::move(header.metadata);
  verify_seal(tensors, file, origin);
  for (auto& item : header.items) {
    const auto bytes = data.subspan(item.begin, item.end - item.begin);
    tensors.entries.push_back(
        {std::move(item.name), item.dtype, item.shape, {bytes.begin(), bytes.end()}});
  }
  return tensors;
}

std::vector<std::byte> serialize(const SafeTensors& tensors) {
  const std::string header = header_of(tensors);
  const std::uint64_t length = header.size();
  std::vector<std::byte> file(length_bytes + header.size());
  std::memcpy(file.data(), &length, length_bytes);
  std::memcpy(file.data() + length_bytes, header.data(), header.size());
  for (const auto& entry : tensors.entries)
    file.insert(file.end(), entry.bytes.begin(), entry.bytes.end());
  if (tensors.sealed) {
    const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    const std::string digest = sha256(file);
    std::memcpy(file.data() + seal_position(text, open_seal), digest.data(), digest.size());
  }
  return file;
}

SafeTensors read_safetensors(const std::string& path) {
  return parse_safetensors(read_file(path, max_file_bytes), path);
}

void write_safetensors(const std::string& path, const SafeTensors& tensors) {
  write_file_atomically(path, serialize(tensors));
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
