// What most files include of the standard library, compiled once for all of them.
// A file still includes what it uses: -Db_pch=false builds without this one.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
