#!/usr/bin/env python3
"""Small networks of PyTorch with what they compute, for tests/models/weights_test.cpp.

    python3 tests/golden/make_weights.py tests/golden/weights

Each file holds a state dict under PyTorch's names, and beside it `test.images` and
`test.logits`.  Made with PyTorch 1.13.1; the safetensors format is written by hand.
"""

import json
import struct
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional


class TinyConvolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 3, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(3)
        self.fc1 = nn.Linear(18, 4)

    def forward(self, x):
        x = functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        return self.fc1(torch.flatten(x, 1))


class Block(nn.Module):
    """A residual block of He et al. (2016), shortened to one convolution."""

    def __init__(self, projected):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.shortcut = nn.Sequential()
        if projected:
            self.shortcut = nn.Sequential(nn.Conv2d(2, 4, 1, stride=2, bias=False), nn.BatchNorm2d(4))

    def forward(self, x):
        passed = self.shortcut(x)
        if not len(self.shortcut):
            passed = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))
        return torch.relu(self.bn1(self.conv1(x)) + passed)


class Residual(nn.Module):
    def __init__(self, projected):
        super().__init__()
        self.block = Block(projected)
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(self.block(x).mean((2, 3)))


def save(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        kind = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
        numbers = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(path, network, images):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for parameter in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(parameter)
            nn.init.uniform_(module.running_var, 0.5, 2)
    network.eval()
    save(path, {**network.state_dict(), "test.images": images, "test.logits": network(images)})


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    torch.manual_seed(1)
    make(folder / "tiny_convolutions.safetensors", TinyConvolutions(), torch.randn(3, 2, 4, 6))
    for name, projected in (("padded", False), ("projected", True)):
        make(folder / f"{name}.safetensors", Residual(projected), torch.randn(3, 2, 6, 4))
