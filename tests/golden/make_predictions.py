#!/usr/bin/env python3
"""What PyTorch's ResNet-20 sees on CIFAR-10's test images, for tests/models/pretrained_test.cpp.

    python3 tests/golden/make_predictions.py resnet20_cifar10.safetensors test_batch.bin tests/golden/pretrained

Writes classes.npy, the class of the highest logit of each image, and prints how many are right.
The network is that of akamaster/pytorch_resnet_cifar10, shortcut option A.  Made with PyTorch 1.13.1.
"""

import json
import struct
import sys
from pathlib import Path

import numpy
import torch
from torch.nn import functional


def read_safetensors(path):
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, numbers = json.loads(data[8:8 + length]), data[8 + length:]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        array = numpy.frombuffer(numbers[begin:end], dtype="<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors


def read_images(path):
    """Images [N, 3, 32, 32] as the network was trained to see them, and labels."""
    rows = numpy.frombuffer(Path(path).read_bytes(), dtype=numpy.uint8).reshape(-1, 3073)
    pixels = torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32)) / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    return (pixels - mean) / deviation, rows[:, 0]


def normalised(x, w, name):
    return functional.batch_norm(x, w[name + ".running_mean"], w[name + ".running_var"], w[name + ".weight"],
                                 w[name + ".bias"])


def block(x, w, name, stride):
    y = torch.relu(normalised(functional.conv2d(x, w[name + ".conv1.weight"], stride=stride, padding=1), w,
                              name + ".bn1"))
    y = normalised(functional.conv2d(y, w[name + ".conv2.weight"], padding=1), w, name + ".bn2")
    if stride == 2:
        quarter = y.shape[1] // 4
        x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
    return torch.relu(y + x)


def logits(x, w):
    x = torch.relu(normalised(functional.conv2d(x, w["conv1.weight"], padding=1), w, "bn1"))
    for stage in (1, 2, 3):
        for number in range(3):
            x = block(x, w, f"layer{stage}.{number}", 2 if stage > 1 and number == 0 else 1)
    return functional.linear(x.mean((2, 3)), w["linear.weight"], w["linear.bias"])


def main():
    weights = read_safetensors(sys.argv[1])
    images, labels = read_images(sys.argv[2])
    with torch.no_grad():
        classes = torch.cat([logits(batch, weights).argmax(1) for batch in images.split(250)]).numpy()
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    numpy.save(folder / "classes.npy", classes.astype("<f4"))
    print(f"{(classes == labels).sum()} of {len(labels)} right")


if __name__ == "__main__":
    main()
