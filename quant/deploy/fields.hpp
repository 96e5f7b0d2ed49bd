#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.hpp"

namespace fraqat::deploy {

/// JSON whose reals are float32: written with the fewest digits that read back
/// as the same number.
using FloatJson = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool,
                                       std::int64_t, std::uint64_t, float>;

/// Parses hostile text; `where` names file and key in the Error{input}.  Refuses
/// duplicate keys and numbers that do not fit.
FloatJson parse_strictly(std::string_view text, const std::string& where);

/// A JSON object that is read key by key: what is missing, of the wrong type or
/// range, or never asked for is an Error{input} that names file and key.
class Fields {
 public:
  Fields(const FloatJson& json, std::string where);

  Index whole(const std::string& key, Index low, Index high);
  float real(const std::string& key);
  std::vector<float> reals(const std::string& key);
  std::string text(const std::string& key);
  std::vector<std::string> texts(const std::string& key);
  Shape shape(const std::string& key);
  std::vector<int> wholes(const std::string& key, Index low, Index high);
  Fields object(const std::string& key);
  const FloatJson& array(const std::string& key);

  bool has(const std::string& key) const { return json_->contains(key); }
  bool has_list(const std::string& key) const { return has(key) && (*json_)[key].is_array(); }
  std::string at(const std::string& key) const { return where_ + '.' + key; }

  /// To be called last: an Error if the object has keys that nobody asked for.
  void done() const;

 private:
  const FloatJson& take(const std::string& key);

  const FloatJson* json_;
  std::string where_;
  std::set<std::string> taken_;
};

}  // namespace fraqat::deploy
