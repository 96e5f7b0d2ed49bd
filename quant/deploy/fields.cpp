#include "quant/deploy/fields.hpp"

#include "core/text.hpp"

namespace fraqat::deploy {
namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 20;
constexpr int deepest = 8;
constexpr Index max_extent = Index{1} << 24;
constexpr Index max_elements = Index{1} << 28;

std::string shown(const FloatJson& json) {
  return json.is_structured() ? json.type_name() : in_quotes(json.dump(), 60);
}

Index whole_number(const FloatJson& json, const std::string& where, Index low, Index high) {
  const bool fits = json.is_number_integer() &&
                    (!json.is_number_unsigned() ||
                     json.get<std::uint64_t>() <= static_cast<std::uint64_t>(high)) &&
                    json.get<Index>() >= low && json.get<Index>() <= high;
  check_input(fits, where, ": got ", shown(json), "; expected a whole number from ", low, " to ",
              high);
  return json.get<Index>();
}

/// Names end up on terminals.
void check_text(const FloatJson& json, const std::string& where) {
  check_input(json.is_string() && is_printable(json.get<std::string>()), where, ": got ",
              shown(json), "; expected a text without control characters");
}

}  // namespace

FloatJson parse_strictly(std::string_view text, const std::string& where) {
  check_input(text.size() <= most_bytes, where, ": too long: got ", text.size(),
              " bytes; expected at most ", most_bytes);
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, FloatJson::parse_event_t event, FloatJson& parsed) {
    check_input(depth <= deepest, where, ": nested too deep: got more than ", deepest, " levels");
    if (event == FloatJson::parse_event_t::object_start) keys.emplace_back();
    if (event == FloatJson::parse_event_t::object_end) keys.pop_back();
    if (event == FloatJson::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      check_input(keys.back().insert(key).second, where, ": key twice: got ", in_quotes(key));
    }
    return true;
  };
  try {
    return FloatJson::parse(text, watch);
  } catch (const FloatJson::parse_error& error) {
    fail(Error::Kind::input, where, ": no JSON at offset ", error.byte, ": got ",
         in_quotes(text.substr(error.byte > 0 ? error.byte - 1 : 0, 1)));
  } catch (const FloatJson::exception&) {
    fail(Error::Kind::input, where, ": got a number out of range; expected float32");
  }
}

Fields::Fields(const FloatJson& json, std::string where) : json_(&json), where_(std::move(where)) {
  check_input(json.is_object(), where_, ": got ", shown(json), "; expected an object");
}

const FloatJson& Fields::take(const std::string& key) {
  const auto found = json_->find(key);
  check_input(found != json_->end(), at(key), ": got nothing; expected this key");
  taken_.insert(key);
  return *found;
}

Index Fields::whole(const std::string& key, Index low, Index high) {
  return whole_number(take(key), at(key), low, high);
}

float Fields::real(const std::string& key) {
  const FloatJson& json = take(key);
  check_input(json.is_number(), at(key), ": got ", shown(json), "; expected a number");
  return json.get<float>();
}

std::vector<float> Fields::reals(const std::string& key) {
  std::vector<float> numbers;
  for (const FloatJson& item : array(key)) {
    check_input(item.is_number(), at(key), ": got ", shown(item), "; expected numbers");
    numbers.push_back(item.get<float>());
  }
  return numbers;
}

std::string Fields::text(const std::string& key) {
  const FloatJson& json = take(key);
  check_text(json, at(key));
  return json.get<std::string>();
}

std::vector<std::string> Fields::texts(const std::string& key) {
  std::vector<std::string> all;
  for (const FloatJson& item : array(key)) {
    check_text(item, at(key));
    all.push_back(item.get<std::string>());
  }
  return all;
}

Shape Fields::shape(const std::string& key) {
  const FloatJson& json = array(key);
  check_input(!json.empty() && json.size() <= Shape::max_rank, at(key), ": got ", json.size(),
              " extents; expected 1 to ", Shape::max_rank);
  std::vector<Index> dims;
  Index elements = 1;
  for (const FloatJson& item : json) {
    dims.push_back(whole_number(item, at(key), 1, max_extent));
    elements *= dims.back();
    check_input(elements <= max_elements, at(key), ": got too many elements; expected at most ",
                max_elements);
  }
  return Shape(dims);
}

std::vector<int> Fields::wholes(const std::string& key, Index low, Index high) {
  std::vector<int> all;
  for (const FloatJson& item : array(key))
    all.push_back(static_cast<int>(whole_number(item, at(key), low, high)));
  return all;
}

Fields Fields::object(const std::string& key) { return {take(key), at(key)}; }

const FloatJson& Fields::array(const std::string& key) {
  const FloatJson& json = take(key);
  check_input(json.is_array(), at(key), ": got ", shown(json), "; expected a list");
  return json;
}

void Fields::done() const {
  for (const auto& [key, value] : json_->items())
    check_input(taken_.count(key), where_, ": unknown key: got ", in_quotes(key, 60));
}

}  // namespace fraqat::deploy
