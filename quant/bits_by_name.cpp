#include "quant/bits_by_name.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

using Policy = std::unique_ptr<BitPolicy>;

struct Named {
  const char* name;
  Policy (*make)(const Widths& widths, const std::vector<double>& start);
};

template <LogitsForward forward, LogitsForm form>
Policy logits(const Widths& widths, const std::vector<double>& start) {
  return std::make_unique<LogitBits>(widths, forward, start, form);
}

template <DirectForward forward>
Policy direct(const Widths& widths, const std::vector<double>& start) {
  return std::make_unique<DirectBits>(widths, forward, start);
}

using enum LogitsForward;
constexpr auto free_form = LogitsForm::free, bell = LogitsForm::bell;

constexpr Named policies[] = {
    {"fixed", [](const Widths& widths,
                 const std::vector<double>&) { return fixed_bits(widths, widths.lowest()); }},
    {"logits-argmax", logits<argmax, free_form>},
    {"logits-gumbel", logits<gumbel, free_form>},
    {"logits-gumbel-soft", logits<gumbel_soft, free_form>},
    {"logits-mixture", logits<mixture, free_form>},
    {"bell-argmax", logits<argmax, bell>},
    {"bell-gumbel", logits<gumbel, bell>},
    {"bell-gumbel-soft", logits<gumbel_soft, bell>},
    {"bell-mixture", logits<mixture, bell>},
    {"stochastic", direct<DirectForward::stochastic>},
    {"interpolated", direct<DirectForward::interpolated>},
    {"level", direct<DirectForward::level>},
    {"level-step", nullptr},  // made with its range
    {"schedule",
     [](const Widths& widths, const std::vector<double>&) {
       return scheduled_bits(widths, widths.highest());
     }},
};

}  // namespace

const std::vector<std::string>& bit_policies() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Named& policy : policies) all.emplace_back(policy.name);
    return all;
  }();
  return names;
}

bool has_row_widths(std::string_view name) {
  return name != "fixed" && name != "level-step" && name != "schedule";
}

Policies make_policies(std::string_view name, const std::vector<double>& start,
                       const RangeOptions& options, std::unique_ptr<RangePolicy> range) {
  std::string names;
  for (const Named& policy : policies) {
    if (policy.name == name) {
      check(start.size() == 1 || (has_row_widths(name) && std::ssize(start) == options.rows),
            "[attach] ", name, " has one width for all channels: got ", start.size(),
            "; expected 1; try stochastic");
      return policy.make ? Policies{policy.make(options.widths, start), std::move(range)}
                         : step_and_range(options, start[0], std::move(range));
    }
    const bool last = &policy == std::end(policies) - 1;
    names += (names.empty() ? "" : last ? " or " : ", ") + std::string(policy.name);
  }
  fail(Error::Kind::failed, "[attach] no such bit policy: got ", name, "; expected ", names);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
