#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fraqat::run {

/// `json` as text, indented by `indent` or, at -1, on one line.  File names in it are bytes: those
/// that are not UTF-8 get a replacement character, where nlohmann would throw.
template <class Json>
std::string json_text(const Json& json, int indent = 2) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fraqat::run
