#include "nn/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/text.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t largest_exact_number = std::uint64_t{1} << 53;  // in any JSON reader
constexpr std::array<std::string_view, 3> field_names = {"dtype", "shape", "data_offsets"};

/// Follows the parser through the header, so that duplicates and depth are
/// seen; anything but the one structure the format has is refused at once.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(std::string_view origin, SafeTensorsHeader& header)
      : origin_(origin), header_(header) {}

  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("true or false"); }
  bool number_float(double, const std::string& text) override {
    refuse("the number " + text.substr(0, 40));
  }
  bool binary(Json::binary_t&) override { refuse("binary data"); }
  // Only what starts with a minus arrives here, -0 too.
  bool number_integer(std::int64_t n) override { refuse("the number " + std::to_string(n)); }

  bool number_unsigned(std::uint64_t number) override {
    if (at_ != At::shape && at_ != At::offsets) refuse("the number " + std::to_string(number));
    if (number > largest_exact_number) refuse("the number " + std::to_string(number));
    std::vector<std::uint64_t>& numbers = at_ == At::shape ? shape_ : offsets_;
    const std::size_t most = at_ == At::shape ? Shape::max_rank : 2;
    if (numbers.size() == most) refuse("more than " + std::to_string(most) + " numbers");
    numbers.push_back(number);
    return true;
  }

  bool string(std::string& text) override {
    if (at_ == At::metadata) {
      refuse_nul(text);
      require(header_.metadata.size() < max_entries, "too much metadata in front", max_entries,
              " entries; expected at most that many in all");
      header_.metadata.emplace(key_, std::move(text));
    } else if (at_ == At::tensor && field_ == "dtype") {
      item_.dtype = known_dtype(text);
    } else {
      refuse("the string " + in_quotes(text, 40));
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (at_ == At::outside)
      at_ = At::top;
    else if (at_ == At::top)
      at_ = key_ == "__metadata__" ? At::metadata : At::tensor;
    else
      refuse("an object");
    return true;
  }

  bool start_array(std::size_t) override {
    if (at_ == At::tensor && field_ == "shape")
      at_ = At::shape;
    else if (at_ == At::tensor && field_ == "data_offsets")
      at_ = At::offsets;
    else
      refuse("an array");
    return true;
  }

  bool end_array() override {
    at_ = At::tensor;
    return true;
  }

  bool key(std::string& name) override {
    refuse_nul(name);
    if (at_ == At::tensor) return field(name);
    key_ = name;
    const bool is_new =
        at_ == At::metadata ? !header_.metadata.contains(name) : names_.insert(name).second;
    if (!is_new) refuse_second();
    if (at_ == At::top) start_tensor(name);
    return true;
  }

  bool end_object() override {
    if (at_ == At::tensor) finish_tensor();
    at_ = at_ == At::top ? At::outside : At::top;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail(Error::Kind::input, who(), "header is no JSON: got something unexpected at offset ",
         length_bytes + position - 1, "; expected an object of tensors");
  }

 private:
  enum class At { outside, top, metadata, tensor, shape, offsets };

  std::string who() const { return "[safetensors] " + in_quotes(origin_) + ": "; }

  /// The key the parser is at.
  std::string where() const {
    if (at_ == At::outside) return "the header";
    if (at_ == At::metadata) return "__metadata__." + in_quotes(key_);
    const bool inside = at_ != At::top && !field_.empty();
    return inside ? in_quotes(key_) + "." + field_ : in_quotes(key_);
  }

  std::string_view expected() const {
    if (at_ == At::outside) return "an object";
    if (at_ == At::top) return "an object with dtype, shape and data_offsets";
    if (at_ == At::metadata) return "a string";
    if (at_ == At::shape) return "at most 5 whole numbers from 1 to 2^53";
    if (at_ == At::offsets) return "two whole numbers from 0 to 2^53";
    return field_ == "dtype" ? "a string" : "an array of whole numbers";
  }

  [[noreturn]] void refuse(const std::string& got) const {
    fail(Error::Kind::input, who(), "wrong value at ", where(), ": got ", got, "; expected ",
         expected());
  }

  [[noreturn]] void refuse_second() const {
    fail(Error::Kind::input, who(), "key appears twice: got ", where(),
         " again; expected every key once");
  }

  void refuse_nul(const std::string& text) const {
    if (text.find('\0') != std::string::npos)
      fail(Error::Kind::input, who(), "NUL in a string: got ", in_quotes(text, 40), " near ",
           where(), "; expected text without it");
  }

  /// Throws unless `condition` holds; only then is the text made, which matters
  /// in a header of many tensors.
  template <class... Parts>
  void require(bool condition, std::string_view what, const Parts&... got_and_expected) const {
    if (!condition)
      fail(Error::Kind::input, who(), what, " of ", where(), ": got ", got_and_expected...);
  }

  bool field(const std::string& name) {
    field_.clear();
    const auto known = std::find(field_names.begin(), field_names.end(), name);
    if (known == field_names.end())
      fail(Error::Kind::input, who(), "unknown field of ", where(), ": got ", in_quotes(name),
           "; expected dtype, shape or data_offsets");
    field_ = name;
    bool& seen = seen_[static_cast<std::size_t>(known - field_names.begin())];
    if (seen) refuse_second();
    return seen = true;
  }

  DType known_dtype(std::string_view name) const {
    for (DType dtype : {DType::f32, DType::f64, DType::u8, DType::i8, DType::i32, DType::i64})
      if (dtype_name(dtype) == name) return dtype;
    fail(Error::Kind::input, who(), "unknown dtype at ", where(), ": got ", in_quotes(name, 40),
         "; expected F32, F64, U8, I8, I32 or I64");
  }

  void start_tensor(const std::string& name) {
    field_.clear();
    seen_ = {};
    shape_.clear();
    offsets_.clear();
    item_ = {};
    item_.name = name;
    if (name == "__metadata__") return;
    require(!name.empty() && name.size() <= max_name_bytes, "bad length of the name", name.size(),
            " bytes; expected 1 to ", max_name_bytes);
    require(header_.items.size() < max_entries, "too many tensors in front", max_entries,
            "; expected at most that many in all");
  }

  void finish_tensor() {
    field_.clear();
    for (std::size_t i = 0; i < field_names.size(); ++i)
      require(seen_[i], "missing field", "no ", field_names[i],
              "; expected dtype, shape and data_offsets");
    constexpr auto most_bytes = static_cast<std::uint64_t>(Shape::max_size);
    std::array<Index, Shape::max_rank> dims{};
    std::uint64_t bytes = static_cast<std::uint64_t>(dtype_bytes(item_.dtype));
    for (std::size_t i = 0; i < shape_.size(); ++i) {
      require(shape_[i] > 0, "empty shape", "an extent of 0; expected 1 or more");
      require(shape_[i] <= most_bytes / bytes, "overflowing shape", "an extent of ", shape_[i],
              "; expected at most ", most_bytes, " bytes in all");
      bytes *= shape_[i];
      dims[i] = static_cast<Index>(shape_[i]);
    }
    item_.shape = Shape(std::span<const Index>(dims.data(), shape_.size()));
    finish_offsets(bytes);
    header_.items.push_back(std::move(item_));
  }

  void finish_offsets(std::uint64_t bytes) {
    require(offsets_.size() == 2, "wrong data_offsets", offsets_.size(),
            " numbers; expected begin and end");
    item_.begin = offsets_[0];
    item_.end = offsets_[1];
    require(item_.begin <= item_.end, "wrong data_offsets", item_.begin, " to ", item_.end,
            "; expected begin <= end");
    require(item_.end - item_.begin == bytes, "wrong length", item_.end - item_.begin,
            " bytes; expected ", bytes, " for ", item_.shape, " of ", dtype_name(item_.dtype));
  }

  std::string_view origin_;
  SafeTensorsHeader& header_;
  At at_ = At::outside;
  std::string key_, field_;
  std::set<std::string> names_;
  std::array<bool, 3> seen_{};  // of field_names
  SafeTensorsHeader::Item item_;
  std::vector<std::uint64_t> shape_, offsets_;
};

}  // namespace

SafeTensorsHeader parse_safetensors_header(std::string_view json, std::string_view origin) {
  SafeTensorsHeader header;
  HeaderReader reader(origin, header);
  Json::sax_parse(json, &reader);
  return header;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
