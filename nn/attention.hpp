#pragma once

#include "nn/layers.hpp"
#include "nn/pairs.hpp"

/// Attention and the block of a Transformer (Vaswani et al., 2017), composed of
/// layers that are there already: every weight is a Linear's or a norm's, and every
/// tensor on the way is the result of a child, in whose slot it can be quantized.
namespace fraqat::inline FRAQAT_PRECISION::nn {

/// y = Q_out(softmax(x + mask)) over the last dimension.
class Softmax final : public Module {
 public:
  using Module::operator();

  /// `mask` is data that stretches to x, or empty; see MultiHeadAttention.
  Var operator()(const Var& x, const Tensor& mask);
  Var forward(const Var& x) override { return (*this)(x, Tensor()); }
  void visit(Visitor& visitor) override { visitor.slot("output_q", output_q); }
  std::string_view kind() const override { return "Softmax"; }

  Slot output_q;
};

/// [length, length]: 0 where position t (row) may look at s <= t, -1e9 elsewhere.
Tensor causal_mask(Index length);

struct AttentionOptions {
  Real dropout = 0;  // of the probabilities, inside a TrainingStep
  bool with_bias = true;
};

/// For each of `heads`, with D = width / heads channels of the projections q, k, v:
///
///   scores = q k^T / sqrt(D),  probabilities = softmax(scores + mask),
///   context = probabilities v,  and the result is out_proj of all heads' contexts.
///
/// Parameters: q_proj, k_proj, v_proj, out_proj, each a Linear of weight[width, width]
/// and bias[width].  PyTorch's in_proj_weight[3 width, width] is the weights of
/// the first three one below the other; here each has its own, and so its own range
/// and bits.  Initial values are PyTorch's.
class MultiHeadAttention final : public Module {
 public:
  using Module::operator();

  MultiHeadAttention(Index width, Index heads, Initializer& init, const AttentionOptions& = {});

  /// query[N, T, width], key[N, S, width], value[N, S, width] to [N, T, width].
  /// `mask` is added to the scores [N, heads, T, S] and stretches to them; a large
  /// negative number (-1e9) hides a position.  An infinity would do the same, but
  /// make NaN of a row that sees nothing.
  Var operator()(const Var& query, const Var& key, const Var& value, const Tensor& mask = {});

  /// Attention of x[N, T, width] to itself.
  Var forward(const Var& x) override { return (*this)(x, x, x); }
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "MultiHeadAttention"; }

  Index width, heads;
  Linear q_proj, k_proj, v_proj, out_proj;
  Matmul scores, context;
  Softmax probabilities;
  Dropout dropout;

 private:
  Var by_head(const Var& x) const;
};

struct EncoderOptions {
  Real dropout = Real(0.1);
  bool norm_first = false;  // pre-norm (Xiong et al., 2020), which trains without warm-up
  bool gelu = false;        // instead of ReLU
};

/// The encoder's block, of x[N, T, width]:
///
///   post-norm:  x = norm1(x + attention(x)),  x = norm2(x + f(x))
///   pre-norm:   x = x + attention(norm1(x)),  x = x + f(norm2(x))
///
/// where f = linear2(activation(linear1(x))) is `inner` wide, with dropout behind
/// attention, activation and f.  Parameters are named as PyTorch's, but for those of
/// self_attn (MultiHeadAttention).
class TransformerEncoderLayer final : public Module {
 public:
  using Module::operator();

  TransformerEncoderLayer(Index width, Index heads, Index inner, Initializer& init,
                          const EncoderOptions& = {});

  Var operator()(const Var& x, const Tensor& mask);
  Var forward(const Var& x) override { return block(x, {}); }
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "TransformerEncoderLayer"; }

  bool norm_first;
  MultiHeadAttention self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;
  std::unique_ptr<Module> activation;
  Dropout dropout, dropout1, dropout2;
  Add add1, add2;

 private:
  Var block(const Var& x, const Tensor& mask);
  Var attend(const Var& x, const Tensor& mask);
  Var feed_forward(const Var& x);
};

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
