#!/usr/bin/env python3
"""Makes tests/golden: what PyTorch 1.13 says about our operators.

    make_golden.py            all operators
    make_golden.py add mul    these

An operator is one entry of TABLE: its name, and a function that returns its cases

    (case, function, input...)

where `function` is PyTorch's answer to the op, taking and giving our layouts (images NHWC, weights
OHWI).  Inputs of floating type get a gradient, whole numbers (labels, indices) get none.  For each
case the folder tests/golden/NAME gets the files

    CASE.x0.npy  CASE.x1.npy ...     the inputs
    CASE.y0.npy  CASE.dy0.npy        the output, and a gradient to it
    CASE.dx0.npy ...                 the gradients to the inputs

all float32.  Inputs and dy are float32 numbers; PyTorch computes with them in double, so that the
files are its formulas and neither the rounding nor the threads of one machine.  The numbers of an
op depend on its name alone: a new entry changes no other file.

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

# --- writing ------------------------------------------------------------------


def save(path, numbers):
    numpy.save(path, numbers.detach().numpy().astype(numpy.float32))


def write_case(stem, function, *inputs):
    for x in inputs:
        x.requires_grad_(x.is_floating_point())
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
