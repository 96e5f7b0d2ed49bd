#!/usr/bin/env python3
"""Makes tests/golden: what PyTorch 1.13 says about our operators and layers.

    make_golden.py            all of them
    make_golden.py add mul    these

An operator is one entry of TABLE: its name, and a function that returns its cases

    (case, function, input...)

where `function` is PyTorch's answer to the op, taking and giving our layouts (images NHWC, weights
OHWI).  Inputs of type double get a gradient, all others are data (labels, indices, targets).  For each
case the folder tests/golden/NAME gets the files

    CASE.x0.npy  CASE.x1.npy ...     the inputs
    CASE.y0.npy  CASE.dy0.npy        the output, and a gradient to it
    CASE.dx0.npy ...                 the gradients to the inputs

all float32.  Inputs and dy are float32 numbers; PyTorch computes with them in double, so that the
files are its formulas and neither the rounding nor the threads of one machine.  The numbers of an
op depend on its name alone: a new entry changes no other file.

A layer is an entry like an operator: its inputs are those of the layer and then its parameters, in the
order and layout in which ours shows them.

The tests read these files (tests/support/golden.hpp) and never need PyTorch.
"""

import sys
import zlib
from pathlib import Path

import numpy
import torch
import torch.nn.functional as nn

FOLDER = Path(__file__).parent


def normal(*shape):
    return torch.randn(shape, dtype=torch.float32).double()


def uniform(low, high, *shape):
    return torch.empty(shape, dtype=torch.float32).uniform_(low, high).double()


def row(*values):
    """A vector of exactly these numbers."""
    return torch.tensor(values, dtype=torch.float32).double()


def probabilities(count):
    return torch.softmax(torch.randn(count, dtype=torch.float32), 0).double()


# name of the op -> function that returns its cases
TABLE = {}

# --- element by element -------------------------------------------------------


def binary(function, first=normal, second=normal):
    """Two operands, in every pattern of broadcasting."""
    return lambda: [
        ("equal", function, first(3, 5), second(3, 5)),
        ("scalar", function, first(3, 5), second(1)),
        ("row", function, first(2, 3, 5), second(5)),
        ("column", function, first(3, 1), second(3, 5)),
        ("outer", function, first(2, 1, 4), second(1, 3, 1)),
    ]


def unary(function, inputs=lambda: torch.cat([normal(29), row(0, -20, 20)]), **others):
    """One operand, and further functions of it by the name of their case."""
    functions = {"all": function, **others}
    return lambda: [(case, f, inputs()) for case, f in functions.items()]


def positive(*shape):
    return uniform(0.25, 4, *shape)


def positive_row():
    return positive(29)


def quarters(*shape):
    """Few different numbers: ties."""
    return torch.round(4 * normal(*shape)) / 4


TABLE |= {
    "add": binary(torch.add),
    "sub": binary(torch.sub),
    "mul": binary(torch.mul),
    "div": binary(torch.div, second=positive),
    "maximum": binary(torch.maximum, quarters, quarters),
    "minimum": binary(torch.minimum, quarters, quarters),
    "pow": lambda: [
        *binary(torch.pow, first=positive)(),
        ("cube", lambda x: torch.pow(x, 3), normal(21)),
        ("inverse", lambda x: torch.pow(x, -0.5), positive(21)),
    ],
    "where": lambda: [
        ("equal", lambda c, a, b: torch.where(c != 0, a, b),
         torch.randint(0, 2, (3, 5)), normal(3, 5), normal(3, 5)),
        ("stretched", lambda c, a, b: torch.where(c != 0, a, b),
         torch.randint(0, 2, (3, 1)), normal(2, 3, 5), normal(5)),
    ],
    "neg": unary(torch.neg),
    "exp": unary(torch.exp, lambda: torch.cat([normal(29), row(0, -80, 10)])),
    "log": unary(torch.log, positive_row),
    "sqrt": unary(torch.sqrt, positive_row),
    "abs": unary(torch.abs),
    "clip": unary(lambda x: torch.clamp(x, -0.5, 0.75),
                  lambda: torch.cat([normal(29), row(-0.5, 0.75)])),
    "relu": unary(torch.relu),
    "relu6": unary(nn.relu6, lambda: torch.cat([4 * normal(29), row(0, 6)])),
    "leaky_relu": unary(lambda x: nn.leaky_relu(x, 0.125)),
    "sigmoid": unary(torch.sigmoid),
    "tanh": unary(torch.tanh),
    "silu": unary(nn.silu),
    "hardswish": unary(nn.hardswish, lambda: torch.cat([4 * normal(29), row(0)])),
    "gelu": unary(nn.gelu, tanh=lambda x: nn.gelu(x, approximate="tanh")),
    "softplus": unary(nn.softplus, steep=lambda x: nn.softplus(x, beta=2, threshold=3)),
}

# --- reductions ---------------------------------------------------------------


def reduction(function):
    """function(x, axes, keepdim)"""

    def over(axes, keepdim=False):
        return lambda x: function(x, axes, keepdim)

    return lambda: [
        ("all", over([0, 1]), normal(3, 17)),
        ("last", over([-1]), normal(3, 17)),
        ("first", over([0]), normal(9, 5)),
        ("outer", over([0, 2]), normal(2, 3, 9)),
        ("kept", over([1, -1], True), normal(2, 3, 2, 5)),
    ]


TABLE |= {
    "sum": reduction(torch.sum),
    "mean": reduction(torch.mean),
    "var": lambda: [
        *reduction(lambda x, axes, keepdim: torch.var(x, axes, False, keepdim))(),
        ("unbiased", lambda x: torch.var(x, [1]), normal(3, 17)),
    ],
    "max": lambda: [
        *reduction(torch.amax)(),
        ("ties", lambda x: torch.amax(x, [1]), torch.round(normal(4, 17))),
    ],
}

# --- shape --------------------------------------------------------------------

TABLE |= {
    "reshape": lambda: [("all", lambda x: x.reshape(4, 6), normal(2, 3, 4))],
    "permute": lambda: [("nchw-to-nhwc", nhwc, normal(2, 3, 4, 5))],
    "concat": lambda: [
        ("three", lambda *x: torch.cat(x, 1), normal(2, 1, 3), normal(2, 4, 3), normal(2, 2, 3)),
    ],
    "slice": lambda: [("middle", lambda x: x[:, 1:4], normal(3, 5, 2))],
    "pad": lambda: [
        ("image", lambda x: nn.pad(x, (0, 0, 0, 3, 1, 2), value=0.25), normal(2, 3, 4, 2)),
    ],
    "pad_channels": lambda: [("both", lambda x: nn.pad(x, (2, 3)), normal(2, 3, 4))],
    "gather": lambda: [
        ("embedding", lambda x, i: nn.embedding(i, x), normal(5, 3), torch.randint(0, 5, (2, 4))),
        ("middle", lambda x, i: x.index_select(1, i), normal(2, 7, 3), torch.randint(0, 7, (6,))),
    ],
}

# --- products -----------------------------------------------------------------


def nchw(x):
    """Also OHWI to OIHW."""
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def conv(ends=(0, 0, 0, 0), **options):
    """ends: left, right, top, bottom."""
    return lambda x, w, b=None: nhwc(nn.conv2d(nn.pad(nchw(x), ends), nchw(w), b, **options))


def conv_transpose(**options):
    return lambda x, w, b: nhwc(nn.conv_transpose2d(nchw(x), nchw(w), b, **options))


TABLE |= {
    "matmul": lambda: [
        ("matrices", torch.matmul, normal(5, 7), normal(7, 9)),
        ("batch", torch.matmul, normal(2, 3, 4), normal(2, 4, 5)),
        ("broadcast", torch.matmul, normal(2, 1, 3, 4), normal(3, 4, 2)),
        ("turned", lambda a, b: a.mT @ b.mT, normal(2, 4, 3), normal(2, 5, 4)),
    ],
    "linear": lambda: [
        ("bias", nn.linear, normal(6, 9), normal(5, 9), normal(5)),
        ("no-bias", nn.linear, normal(6, 9), normal(5, 9)),
    ],
    "conv2d": lambda: [
        ("padded", conv(padding=1), normal(2, 6, 5, 3), normal(4, 3, 3, 3), normal(4)),
        ("no-bias", conv(stride=2), normal(2, 6, 5, 3), normal(4, 3, 2, 3)),
        ("dilated", conv(stride=2, padding=2, dilation=2),
         normal(2, 6, 7, 3), normal(4, 3, 3, 3), normal(4)),
        ("groups", conv(padding=1, groups=2), normal(2, 4, 4, 4), normal(6, 3, 3, 2), normal(6)),
        ("depthwise", conv(padding=1, groups=5), normal(2, 4, 4, 5), normal(5, 3, 3, 1), normal(5)),
        ("asymmetric", conv((0, 1, 2, 0)), normal(2, 4, 3, 2), normal(3, 3, 2, 2), normal(3)),
    ],
    "conv_transpose2d": lambda: [
        ("plain", conv_transpose(), normal(2, 4, 3, 3), normal(3, 3, 2, 4), normal(4)),
        ("strided", conv_transpose(stride=2, padding=1, output_padding=1),
         normal(2, 4, 3, 3), normal(3, 3, 3, 4), normal(4)),
        ("groups", conv_transpose(groups=2, dilation=2),
         normal(2, 3, 4, 4), normal(4, 2, 3, 3), normal(6)),
    ],
    # The same ops where channels or samples fill vectors: entries of their own, since a further case
    # of an op would change the numbers of those before it.
    "conv2d_wide": lambda: [
        ("padded", conv(padding=1), normal(2, 9, 7, 16), normal(16, 3, 3, 16), normal(16)),
        ("strided", conv(stride=2, padding=2), normal(2, 9, 7, 16), normal(17, 5, 5, 16), normal(17)),
        ("samples", conv(padding=1), normal(17, 5, 4, 3), normal(5, 3, 3, 3), normal(5)),
    ],
    "conv_transpose2d_wide": lambda: [
        ("strided", conv_transpose(stride=2, padding=1, output_padding=1),
         normal(2, 5, 4, 17), normal(17, 3, 3, 16), normal(16)),
    ],
}

# --- pooling ------------------------------------------------------------------


def pool(function, *options):
    return lambda x: nhwc(function(nchw(x), *options))


TABLE |= {
    name: lambda function=function: [
        ("touching", pool(function, 2, 2), normal(2, 4, 6, 3)),
        ("overlapping", pool(function, 3, 2, 1), normal(2, 5, 7, 3)),
    ]
    for name, function in [("max_pool2d", nn.max_pool2d), ("avg_pool2d", nn.avg_pool2d)]
}

TABLE |= {
    "adaptive_avg_pool2d": lambda: [
        ("uneven", pool(nn.adaptive_avg_pool2d, (3, 4)), normal(2, 5, 7, 3)),
    ],
    "global_avg_pool": lambda: [("all", lambda x: x.mean((1, 2)), normal(2, 5, 7, 3))],
}

# --- normalisation ------------------------------------------------------------


def batch_norm(x, gamma, beta, mean=None, variance=None):
    if mean is None:
        return nhwc(nn.batch_norm(nchw(x), None, None, gamma, beta, True))
    return nhwc(nn.batch_norm(nchw(x), mean.double(), variance.double(), gamma, beta, False))


def group_norm(groups):
    return lambda x, *affine: nhwc(nn.group_norm(nchw(x), groups, *affine))


TABLE |= {
    "batch_norm": lambda: [
        ("batch", batch_norm, normal(3, 2, 4, 5), normal(5), normal(5)),
        ("running", batch_norm, normal(3, 2, 4, 5), normal(5), normal(5),
         normal(5).float(), uniform(0.5, 2, 5).float()),
    ],
    "layer_norm": lambda: [
        ("last", lambda x, *affine: nn.layer_norm(x, (7,), *affine),
         normal(2, 3, 7), normal(7), normal(7)),
        ("two", lambda x, *affine: nn.layer_norm(x, (3, 7), *affine),
         normal(2, 3, 7), normal(3, 7), normal(3, 7)),
    ],
    "group_norm": lambda: [
        ("two-groups", group_norm(2), normal(2, 3, 4, 6), normal(6), normal(6)),
        ("one-group", group_norm(1), normal(2, 3, 4, 6), normal(6), normal(6)),
    ],
    "softmax": lambda: [("all", lambda x: nn.softmax(x, -1), normal(5, 7))],
    "log_softmax": lambda: [("all", lambda x: nn.log_softmax(x, -1), normal(5, 7))],
}

# --- layers -------------------------------------------------------------------


def attention(heads, causal=False):
    """Parameters: q_proj, k_proj, v_proj, out_proj, each weight and bias."""

    def attend(query, key, value, qw, qb, kw, kb, vw, vb, ow, ob):
        query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        mask = torch.full((len(query), len(key)), -torch.inf).triu(1).double() if causal else None
        y, _ = nn.multi_head_attention_forward(
            query, key, value, query.shape[-1], heads, torch.cat([qw, kw, vw]),
            torch.cat([qb, kb, vb]), None, None, False, 0.0, ow, ob, attn_mask=mask)
        return y.transpose(0, 1)

    return attend


def linears(*shapes):
    """Weight and bias of each."""
    return [numbers for out, width in shapes for numbers in (normal(out, width), normal(out))]


def encoder_layer(heads, **options):
    """Parameters: those of attention, then linear1, linear2, norm1, norm2."""

    def run(x, qw, qb, kw, kb, vw, vb, ow, ob, w1, b1, w2, b2, g1, s1, g2, s2):
        layer = torch.nn.TransformerEncoderLayer(
            x.shape[-1], heads, len(w1), 0.0, batch_first=True, **options).double()
        state = {
            "self_attn.in_proj_weight": torch.cat([qw, kw, vw]),
            "self_attn.in_proj_bias": torch.cat([qb, kb, vb]),
            "self_attn.out_proj.weight": ow, "self_attn.out_proj.bias": ob,
            "linear1.weight": w1, "linear1.bias": b1, "linear2.weight": w2, "linear2.bias": b2,
            "norm1.weight": g1, "norm1.bias": s1, "norm2.weight": g2, "norm2.bias": s2,
        }
        return torch.nn.utils.stateless.functional_call(layer, state, (x,))

    return run


def cell(function):
    """Inputs x and state; parameters ih and hh.  The new state, or both of them, [n, 2 hidden]."""

    def step(x, *rest):
        *state, w_ih, b_ih, w_hh, b_hh = rest
        state = tuple(state) if len(state) > 1 else state[0]
        y = function(x, state, w_ih, w_hh, b_ih, b_hh)
        return torch.cat(y, 1) if isinstance(y, tuple) else y

    return step


def sequence(function, states):
    def run(x, w_ih, b_ih, w_hh, b_hh):
        start = torch.zeros(1, len(x), w_hh.shape[1]).double()
        state = (start,) * states if states > 1 else start
        return function(x, state, [w_ih, w_hh, b_ih, b_hh], True, 1, 0.0, True, False, True)[0]

    return run


TABLE |= {
    "multi_head_attention": lambda: [
        ("self-causal", lambda x, *p: attention(2, True)(x, x, x, *p),
         normal(2, 3, 4), *linears(*[(4, 4)] * 4)),
        ("cross", attention(3),
         normal(2, 3, 6), normal(2, 4, 6), normal(2, 4, 6), *linears(*[(6, 6)] * 4)),
    ],
    "transformer_encoder_layer": lambda: [
        (case, encoder_layer(2, **options), normal(2, 3, 4),
         *linears(*[(4, 4)] * 4, (5, 4), (4, 5)), *[normal(4) for _ in range(4)])
        for case, options in [("post-relu", {}),
                              ("pre-gelu", {"norm_first": True, "activation": "gelu"})]
    ],
    "lstm": lambda: [
        ("cell", cell(torch.lstm_cell), normal(2, 3), normal(2, 4), normal(2, 4),
         *linears((16, 3), (16, 4))),
        ("sequence", sequence(torch._VF.lstm, 2), normal(2, 3, 3), *linears((8, 3), (8, 2))),
    ],
    "gru": lambda: [
        ("cell", cell(torch.gru_cell), normal(2, 3), normal(2, 4), *linears((12, 3), (12, 4))),
        ("sequence", sequence(torch._VF.gru, 1), normal(2, 3, 3), *linears((6, 3), (6, 2))),
    ],
}

# --- losses -------------------------------------------------------------------


def cross_entropy(smoothing):
    def loss(z, targets):
        if targets.is_floating_point():
            targets = targets.double()
        return nn.cross_entropy(z, targets, label_smoothing=smoothing)

    return loss


def loss(function, **options):
    """Of log-probabilities and probabilities, which suit them all."""
    return [
        lambda x, t: function(x, t.double(), **options),
        nn.log_softmax(normal(6, 5), -1),
        nn.softmax(normal(6, 5), -1).float(),
    ]


TABLE |= {
    "softmax_cross_entropy": lambda: [
        (kind + case, cross_entropy(smoothing), 3 * normal(6, 5), targets)
        for kind, targets in [("labels", torch.randint(0, 5, (6,))),
                              ("soft", nn.softmax(normal(6, 5), -1).float())]
        for case, smoothing in [("", 0), ("-smoothed", 0.1)]
    ],
    "binary_cross_entropy_with_logits": lambda: [
        ("all", *loss(nn.binary_cross_entropy_with_logits)),
    ],
    "mse_loss": lambda: [("all", *loss(nn.mse_loss))],
    "l1_loss": lambda: [("all", *loss(nn.l1_loss))],
    "huber_loss": lambda: [
        ("all", *loss(nn.huber_loss, delta=0.7)),
        ("smooth-l1", *loss(nn.smooth_l1_loss, beta=0.4)),
    ],
    "kl_div": lambda: [("all", *loss(nn.kl_div, reduction="batchmean"))],
}

# --- dropout --------------------------------------------------------------------

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF


def philox(key, counter):
    """Philox4x32-10 of Salmon et al. (SC11): four words of 32 bits."""
    c, k = list(counter), [key & MASK32, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & MASK32, (a >> 32) ^ c[3] ^ k[1], a & MASK32]
        k = [(k[0] + 0x9E3779B9) & MASK32, (k[1] + 0xBB67AE85) & MASK32]
    return c


def splitmix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


def dropout(x, p=0.3, seed=42, epoch=3, step=17, stream=3):
    """Of the first user in this step, with the mask that core/random.hpp promises."""
    key = splitmix((seed + 0x9E3779B97F4A7C15 * splitmix(1 << 32 | stream)) & MASK64)
    each = x[0].numel()
    places = [(n, i) for n in range(len(x)) for i in range(each)]
    words = [philox(key, (epoch, step, n, i // 4))[i % 4] for n, i in places]
    keep = torch.tensor([((w >> 9) + 0.5) / 2**23 >= p for w in words]).reshape(x.shape)
    return x * keep / (1 - p)


TABLE |= {"dropout": lambda: [("all", dropout, normal(5, 3, 7))]}

# --- quantization ----------------------------------------------------------------


def straight_through(backward, forward):
    """The value of one, the gradient of the other."""
    return backward + (forward - backward).detach()


def quantized(x, scale, zero, lo, hi):
    """LSQ+ (Bhalgat et al., 2020) as its users write it: scale and zero learn, rounding does not.
    Zero-points are whole numbers when codes are made."""
    whole = straight_through(zero, zero.round())
    low, high = (lo - whole).expand_as(x), (hi - whole).expand_as(x)
    u = torch.maximum(torch.minimum(x / scale, high), low)
    return scale * straight_through(u, u.round())


def mixture(ends):
    def function(x, p, scale, zero):
        rows = scale[0].numel()
        shape = (rows,) + (1,) * (x.dim() - 1)
        return sum(
            p[j] * quantized(x, scale[j].reshape(shape), zero[j].reshape(shape), *end)
            for j, end in enumerate(ends)
        )

    return function


WEIGHT_ENDS = [(1 - 2 ** (b - 1), 2 ** (b - 1) - 1) for b in (2, 3, 4, 5)]
IMAGE_ENDS = [(0, 2**b - 1) for b in (2, 3, 4, 5)]


def candidates(rows, zeros):
    """p, scales and zero-points of four widths."""
    return probabilities(4), uniform(0.1, 0.6, 4, rows), zeros(4, rows).double()


def constant(value):
    return torch.full((1, 1), float(value))


def builtin(x, p, scale, zero):
    """PyTorch's own, of 4 bits; its scale and zero-point are no variables."""
    y = torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero), 0, 15)
    return straight_through(p * y, y)


def normalised_mixture(rectify):
    """Of images, mixture(IMAGE_ENDS) of batch_norm."""
    def function(x, gamma, beta, *of_mixture):
        y = batch_norm(x, gamma, beta)
        return mixture(IMAGE_ENDS)(torch.relu(y) if rectify else y, *of_mixture)
    return function


def neighbours(bits, widths=(2, 3, 4, 6, 8)):
    w = torch.tensor(widths).double()
    at = max(j for j in range(len(widths) - 1) if widths[j] <= max(float(bits), widths[0]))
    f = (bits.squeeze() - w[at]) / (w[at + 1] - w[at])
    one_hot = torch.eye(len(widths)).double()
    return (1 - f) * one_hot[at] + f * one_hot[at + 1]


def steps(bits):
    return 2 ** (bits - 1) - 1


def level_scale(bits, scale, widths=(2, 3, 4, 6, 8)):
    """The end of the range between two neighbours, on a log scale, over the steps at `bits`."""
    end = scale * steps(torch.tensor(widths).double()).reshape(-1, 1)
    return torch.exp((neighbours(bits, widths).reshape(-1, 1) * end.log()).sum(0)) / steps(bits)


def level_quant(x, scale, bits):
    """Symmetric, of the whole steps that fit into the real number of them."""
    end = straight_through(steps(bits), steps(bits).floor()).expand_as(x)
    u = torch.maximum(torch.minimum(x / scale.reshape(-1, 1), end), -end)
    return scale.reshape(-1, 1) * straight_through(u, u.round())


class Drawn(torch.autograd.Function):
    """Values of y; x feels the spring of oscillation damping (Nagel et al., 2022)."""

    @staticmethod
    def forward(context, x, y):
        context.save_for_backward(x, y)
        return y.clone()

    @staticmethod
    def backward(context, dy):
        x, y = context.saved_tensors
        return 2 * 0.3 * (x - y) * ((x - y).abs() <= 0.5), dy


TABLE |= {
    "fake_quant": lambda: [
        ("weights", mixture(WEIGHT_ENDS), normal(3, 2, 2, 5), *candidates(3, torch.zeros)),
        ("images", mixture(IMAGE_ENDS), normal(6, 11), *candidates(1, lambda *s: uniform(0, 3, *s))),
        ("builtin", builtin, uniform(-1.4, 2.2, 61), row(1), constant(0.25), constant(6)),
    ],
    "batch_norm_fake_quant": lambda: [
        ("plain", normalised_mixture(False), normal(3, 2, 4, 5), normal(5), normal(5),
         *candidates(1, lambda *s: uniform(0, 3, *s))),
        ("relu", normalised_mixture(True), normal(3, 2, 4, 5), normal(5), normal(5),
         *candidates(1, lambda *s: uniform(0.6, 2.4, *s))),
    ],
    "expected_width": lambda: [
        ("all", lambda p: (p @ row(2, 3, 4, 6, 8)).reshape(1), probabilities(5)),
    ],
    "harden": lambda: [("all", lambda p: straight_through(p, row(0, 0, 1, 0)), probabilities(4))],
    "neighbour_weights": lambda: [
        ("between", neighbours, row(4.75)),
        ("at-one", neighbours, row(3)),
    ],
    "level_scale": lambda: [("all", level_scale, row(4.75), uniform(0.05, 0.6, 5, 3))],
    "level_quant": lambda: [("all", level_quant, normal(4, 9), uniform(0.1, 0.4, 4), row(3.4))],
    "scale_gradient": lambda: [
        ("all", lambda x, f: straight_through(x * f, x), normal(4, 5), uniform(0.1, 3, 4, 5).float()),
    ],
    "dampen": lambda: [("all", Drawn.apply, normal(4, 5), normal(4, 5))],
}

# --- writing ------------------------------------------------------------------


def save(path, numbers):
    numpy.save(path, numbers.detach().numpy().astype(numpy.float32))


def write_case(stem, function, *inputs):
    for x in inputs:
        x.requires_grad_(x.dtype == torch.float64)
    y = function(*inputs)
    dy = normal(*y.shape)
    y.backward(dy)
    save(f"{stem}.y0.npy", y)
    save(f"{stem}.dy0.npy", dy)
    for i, x in enumerate(inputs):
        save(f"{stem}.x{i}.npy", x)
        if x.requires_grad:
            save(f"{stem}.dx{i}.npy", x.grad)


def write_op(name):
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.npy"):
        old.unlink()
    torch.manual_seed(zlib.crc32(name.encode()))
    for case, function, *inputs in TABLE[name]():
        write_case(folder / case, function, *inputs)


def main():
    names = sys.argv[1:] or sorted(TABLE)
    unknown = [name for name in names if name not in TABLE]
    if unknown:
        sys.exit(f"no such op: {', '.join(unknown)}; there are {', '.join(sorted(TABLE))}")
    torch.set_num_threads(1)
    for name in names:
        write_op(name)


if __name__ == "__main__":
    main()
