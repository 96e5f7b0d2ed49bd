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

FOLDER = Path(__file__).parent


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float32).double()


def uniform(low, high, *shape):
    return torch.empty(shape, dtype=torch.float32).uniform_(low, high).double()


def row(*values):
    """A vector of exactly these numbers."""
    return torch.tensor(values, dtype=torch.float32).double()


# name of the op -> function that returns its cases
TABLE = {}

# --- element by element -------------------------------------------------------

TABLE |= {
    "add": lambda: [
        ("equal", torch.add, normal(3, 5), normal(3, 5)),
        ("scalar", torch.add, normal(3, 5), normal(1)),
    ],
    "exp": lambda: [
        ("all", torch.exp, torch.cat([normal(21), row(0, -80, 10, -1e-3)])),
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
