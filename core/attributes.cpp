#include "core/attributes.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

void Attributes::fail_without(std::string_view name) const {
  std::string known;
  for (const auto& [key, value] : items_) known += (known.empty() ? "" : ", ") + key;
  fail(Error::Kind::failed, "[attributes] no such attribute of the type asked for: got \"", name,
       "\"; expected one of ", known);
}

}  // namespace fraqat::inline FRAQAT_PRECISION
