#include "nn/attention.hpp"

#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

Index checked_heads(Index width, Index heads) {
  check(width > 0 && heads > 0 && width % heads == 0,
        "[MultiHeadAttention] heads do not share the channels out: got ", heads, " heads, ", width,
        " channels; expected a multiple of the heads");
  return heads;
}

// As PyTorch: the three first projections are one matrix [3 width, width] for the
// initialisation, and biases start at 0.
void start_projections(MultiHeadAttention& layer, Initializer& init) {
  for (Linear* linear : {&layer.q_proj, &layer.k_proj, &layer.v_proj})
    linear->weight.value() =
        init.xavier_uniform({layer.width, layer.width}, layer.width, 3 * layer.width);
  for (Linear* linear : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.out_proj})
    if (linear->bias) linear->bias.value() = Tensor({layer.width}, Real(0));
}

void check_attention(Index width, const Shape& query, const Shape& key, const Shape& value,
                     const Tensor& mask, const Shape& scores) {
  check(query.rank() == 3 && key.rank() == 3 && query[2] == width && key[2] == width &&
            value == key && query[0] == key[0],
        "[MultiHeadAttention] shapes do not fit: got query ", query, ", key ", key, ", value ",
        value, "; expected query[N, T, ", width, "], key and value [N, S, ", width, ']');
  if (!mask) return;
  bool stretches = mask.rank() <= 4;
  for (int d = 1; stretches && d <= mask.rank(); ++d)
    stretches = mask.dim(-d) == 1 || mask.dim(-d) == scores[-d];
  check(stretches, "[MultiHeadAttention] mask does not fit: got ", mask.shape(),
        "; expected what stretches to the scores [N, heads, T, S], ", scores);
}

std::unique_ptr<Module> encoder_activation(bool gelu) {
  if (gelu) return std::make_unique<Gelu>();
  return std::make_unique<Relu>();
}

}  // namespace

Var Softmax::operator()(const Var& x, const Tensor& mask) {
  LayerScope scope(path_);
  return output_q(op::softmax(mask ? op::add(x, Var(mask)) : x));
}

Tensor causal_mask(Index length) {
  Tensor mask({length, length}, Real(0));
  for (Index t = 0; t < length; ++t)
    for (Index s = t + 1; s < length; ++s) mask[t * length + s] = Real(-1e9);
  return mask;
}

MultiHeadAttention::MultiHeadAttention(Index width, Index heads, Initializer& init,
                                       const AttentionOptions& options)
    : width(width),
      heads(checked_heads(width, heads)),
      q_proj(width, width, init, options.with_bias),
      k_proj(width, width, init, options.with_bias),
      v_proj(width, width, init, options.with_bias),
      out_proj(width, width, init, options.with_bias),
      scores(op::MatmulOptions{false, true},
             static_cast<Real>(1 / std::sqrt(static_cast<double>(width / heads)))),
      dropout(options.dropout) {
  start_projections(*this, init);
}

// [N, T, width] to [N, heads, T, width / heads].
Var MultiHeadAttention::by_head(const Var& x) const {
  const Shape& shape = x.shape();
  return op::permute(op::reshape(x, {shape[0], shape[1], heads, width / heads}), {0, 2, 1, 3});
}

Var MultiHeadAttention::operator()(const Var& query, const Var& key, const Var& value,
                                   const Tensor& mask) {
  LayerScope scope(path_);
  const Index n = query.shape().rank() == 3 ? query.shape()[0] : 0;
  const Index t = n ? query.shape()[1] : 0, s = n && key.shape().rank() == 3 ? key.shape()[1] : 0;
  check_attention(width, query.shape(), key.shape(), value.shape(), mask, {n, heads, t, s});
  const Var q = by_head(q_proj(query)), k = by_head(k_proj(key)), v = by_head(v_proj(value));
  const Var weights = dropout(probabilities(scores(q, k), mask));
  const Var joined = op::permute(context(weights, v), {0, 2, 1, 3});
  return out_proj(op::reshape(joined, {n, t, width}));
}

void MultiHeadAttention::visit(Visitor& visitor) {
  visitor.child("q_proj", q_proj);
  visitor.child("k_proj", k_proj);
  visitor.child("v_proj", v_proj);
  visitor.child("scores", scores);
  visitor.child("probabilities", probabilities);
  visitor.child("dropout", dropout);
  visitor.child("context", context);
  visitor.child("out_proj", out_proj);
}

TransformerEncoderLayer::TransformerEncoderLayer(Index width, Index heads, Index inner,
                                                 Initializer& init, const EncoderOptions& options)
    : norm_first(options.norm_first),
      self_attn(width, heads, init, {options.dropout}),
      linear1(width, inner, init),
      linear2(inner, width, init),
      norm1(width),
      norm2(width),
      activation(encoder_activation(options.gelu)),
      dropout(options.dropout),
      dropout1(options.dropout),
      dropout2(options.dropout) {}

Var TransformerEncoderLayer::operator()(const Var& x, const Tensor& mask) {
  LayerScope scope(path_);
  return block(x, mask);
}

Var TransformerEncoderLayer::block(const Var& x, const Tensor& mask) {
  check(x.shape().rank() == 3 && x.shape()[2] == self_attn.width,
        "[TransformerEncoderLayer] shapes do not fit: got x ", x.shape(), "; expected x[N, T, ",
        self_attn.width, ']');
  if (norm_first) {
    const Var y = add1(x, attend(norm1(x), mask));
    return add2(y, feed_forward(norm2(y)));
  }
  const Var y = norm1(add1(x, attend(x, mask)));
  return norm2(add2(y, feed_forward(y)));
}

Var TransformerEncoderLayer::attend(const Var& x, const Tensor& mask) {
  return dropout1(self_attn(x, x, x, mask));
}

Var TransformerEncoderLayer::feed_forward(const Var& x) {
  return dropout2(linear2(dropout((*activation)(linear1(x)))));
}

void TransformerEncoderLayer::visit(Visitor& visitor) {
  visitor.child("self_attn", self_attn);
  visitor.child("linear1", linear1);
  visitor.child("activation", *activation);
  visitor.child("dropout", dropout);
  visitor.child("linear2", linear2);
  visitor.child("norm1", norm1);
  visitor.child("norm2", norm2);
  visitor.child("dropout1", dropout1);
  visitor.child("dropout2", dropout2);
  visitor.child("add1", add1);
  visitor.child("add2", add2);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
