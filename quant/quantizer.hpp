#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quant/range.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// `sum` is what an add reads or makes, where that has a width of its own (Spec::sum_bits):
/// averages over activations leave it out, as they do the image.
enum class Role { input, weight, activation, sum };

/// BitPolicy x RangePolicy: fake quantization of one tensor, as the plug of one
/// slot.
class Quantizer final : public nn::Transform {
 public:
  /// off and observe pass x through; observe shows it to the range, for
  /// calibration; on quantizes.
  enum class Mode { off, observe, on };

  struct Info {
    std::string name;  // "conv1.weight_q", the slot it fills
    Role role = Role::activation;
    Index elements = 0;  // weights: all of them; activations: per sample
    Coding coding = Coding::natural;
    Widths widths;
    Index rows = 1;           // ranges for each width: 1, or one for each output channel
    Index channels = 0;       // weights: outputs of the layer
    bool row_widths = false;  // every one of the rows has a bit-width of its own
  };

  Quantizer(Info info, std::unique_ptr<BitPolicy> bits, std::unique_ptr<RangePolicy> range);

  Var operator()(const Var& x) override;

  /// In one op where nobody but that op looks at the numbers.
  Var of_rectified(const Var& x) override { return rectified(x, {}).y; }
  Var of_normalised(const op::BatchNormInput& norm) override;
  Pooled pooled_of_rectified(const Var& x, const op::Pool2dOptions& pool) override {
    return rectified(x, pool);
  }
  void visit(nn::Visitor& visitor) override;

  const Info& info() const { return info_; }
  BitPolicy& bits() { return *bits_; }
  const BitPolicy& bits() const { return *bits_; }
  RangePolicy& range() { return *range_; }

  /// Looks closely at the next tensor it quantizes: an Error names the slot if a number
  /// of it is none, or if numbers that differ all get the same code, those of each row.
  void look() { look_ = true; }

  Mode mode() const { return mode_; }
  void set_mode(Mode mode) { mode_ = mode; }

  /// In training x is drawn to its codes, by 2 `strength` times the distance; 0: not.
  void set_damping(double strength) { damping_ = static_cast<Real>(strength); }

  /// How many bit-widths there are: 1, or one for each row.
  Index width_count() const { return info_.row_widths ? info_.rows : 1; }

  /// Replaces the bit policy by a fixed width, one of the candidates or a number of
  /// levels between two of them; or by one of the candidates for each row.  Ranges stay, and
  /// go on learning if they do.  learned_bits() keeps the fractional widths they came from.
  void freeze(const Width& width);
  void freeze(const std::vector<Width>& widths);
  bool frozen() const { return frozen_; }

  /// The width evaluation uses; the candidate it is, or, for levels, is nearest to; and the
  /// mean of the stored bits of all rows.
  Width hard_width(Index row = 0) const {
    return levels_.whole() ? Width(hard_bits(row)) : levels_;
  }
  int hard_bits(Index row = 0) const { return info_.widths[bits_->hard(row)]; }
  double mean_hard_bits() const;

  /// What its codes take, packed: the rows are one stream.
  Index bytes() const;

  /// The fractional width: the policy's, or what freeze() was told it was; the mean of all
  /// rows, or that of one.
  double learned_bits() const;
  double learned_bits(Index row) const;
  void set_learned_bits(std::vector<double> bits);

 private:
  using Pool = std::optional<op::Pool2dOptions>;

  bool only_quantizes() const;
  Pooled rectified(const Var& x, const Pool& pool);
  Var quantized(const Var& x, const Ranges& ranges, const BitPolicy::Choice& choice);
  op::FakeQuantOptions options(const BitPolicy::Choice& choice, bool relu,
                               const Pool& pool = {}) const;
  Var quantize_to_widths(const Var& x, const Ranges& ranges, const BitPolicy::Choice& choice,
                         bool relu, const Pool& pool = {}) const;
  Var quantize_to_level(const Var& x, const Ranges& ranges, const Var& bits);
  Ranges level_range(const Ranges& ranges, const Var& bits) const;
  Var level_zero(const Var& zero, const Tensor& bits) const;
  bool is_damped() const;
  void check_codes(const Tensor& x, const Tensor& y) const;

  Info info_;
  std::unique_ptr<BitPolicy> bits_;
  std::unique_ptr<RangePolicy> range_;
  bool learns_range_;
  Mode mode_ = Mode::off;
  Real damping_ = 0;
  Width levels_;  // that it is frozen at; whole bits: at none
  bool frozen_ = false, look_ = false;
  std::vector<double> learned_;
};

/// All quantizers that fill slots of `model`, in order of visit; they belong to
/// their slots.
std::vector<Quantizer*> quantizers(nn::Module& model);

void set_mode(nn::Module& model, Quantizer::Mode mode);

/// Ends calibration: ranges are set from what was observed, quantizers go on.
void calibrated(nn::Module& model);

/// sum N_k b_k / sum N_k over the weights or over the activations (the input
/// image is not counted), of the learned or of the hard widths.
double average_bits(const std::vector<Quantizer*>& quantizers, Role role, bool hard);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
