#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/tensor.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// The attributes of an op by name, in the order told: what drawing, tracing
/// and lowering to integers read instead of the op's type.
class Attributes {
 public:
  using Value = std::variant<Index, double, std::string, std::vector<Index>, Tensor>;

  template <class T>
  void operator()(std::string_view name, const T& value) {
    if constexpr (std::is_integral_v<T>)
      items_.emplace_back(name, static_cast<Index>(value));
    else if constexpr (std::is_floating_point_v<T>)
      items_.emplace_back(name, static_cast<double>(value));
    else
      items_.emplace_back(name, value);
  }

  /// The attribute `name` as T; an Error names what is missing.
  template <class T>
  const T& get(std::string_view name) const {
    for (const auto& [key, value] : items_)
      if (key == name)
        if (const T* found = std::get_if<T>(&value)) return *found;
    fail_without(name);
  }

  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }

 private:
  [[noreturn]] void fail_without(std::string_view name) const;

  std::vector<std::pair<std::string, Value>> items_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION
