#!/usr/bin/env python3
"""Makes tests/golden/optimizers: what PyTorch 1.13 says about our optimizers and schedules.

The optimizers all move the same weights by the same gradients:

    weights.npy    [n]           where every run starts
    gradients.npy  [steps, n]    the gradient of each step
    NAME.npy       [steps, n]    the weights after each step of one case of UPDATES

The schedules are rates over steps, NAME.npy [steps], one for each case of RATES.  Those that look
at a metric read metrics.npy [steps], and give the rate after each measurement.

All are float32 numbers.  PyTorch computes with them in double, so that the files are its formulas
and not its rounding.  tests/optim/pytorch_test.cpp reads them.
"""

from pathlib import Path

import numpy
import torch
from torch import optim
from torch.optim import lr_scheduler

FOLDER = Path(__file__).parent / "optimizers"
STEPS, SIZE = 10, 7
RATE = 0.05

UPDATES = {
    "sgd": (optim.SGD, {}),
    "sgd_decay": (optim.SGD, dict(weight_decay=0.1)),
    "sgd_momentum": (optim.SGD, dict(momentum=0.9, weight_decay=0.1)),
    "sgd_nesterov": (optim.SGD, dict(momentum=0.8, weight_decay=0.1, nesterov=True)),
    "adam": (optim.Adam, {}),
    "adam_decay": (optim.Adam, dict(betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    "adamw": (optim.AdamW, dict(weight_decay=0.1)),
    "rmsprop": (optim.RMSprop, {}),
    "rmsprop_momentum": (optim.RMSprop, dict(alpha=0.9, momentum=0.8, weight_decay=0.1)),
    "rmsprop_centered": (optim.RMSprop, dict(alpha=0.9, eps=1e-3, centered=True)),
    "rmsprop_both": (
        optim.RMSprop,
        dict(alpha=0.8, eps=1e-2, momentum=0.9, centered=True, weight_decay=0.1),
    ),
    "adagrad": (optim.Adagrad, {}),
    "adagrad_all": (
        optim.Adagrad,
        dict(lr_decay=0.3, eps=1e-3, initial_accumulator_value=0.2, weight_decay=0.1),
    ),
}

# name -> (steps, scheduler of an optimizer at RATE)
RATES = {
    "step": (12, lambda o: lr_scheduler.StepLR(o, 4, gamma=0.3)),
    "multi_step": (12, lambda o: lr_scheduler.MultiStepLR(o, [3, 4, 9], gamma=0.3)),
    "exponential": (12, lambda o: lr_scheduler.ExponentialLR(o, gamma=0.8)),
    "cosine": (21, lambda o: lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.002)),
    "restarts": (30, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, eta_min=0.002)),
    "restarts_longer": (
        30,
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.002),
    ),
    # Of 21 rates, 20 steps apart; PyTorch's rise ends at its step pct_start * 21 - 1, here 6.
    "one_cycle": (
        21,
        lambda o: lr_scheduler.OneCycleLR(
            o,
            RATE,
            total_steps=21,
            pct_start=7 / 21,
            cycle_momentum=False,
            div_factor=25,
            final_div_factor=10,
        ),
    ),
}

PLATEAUS = {
    "plateau": dict(factor=0.5, patience=2, threshold=0.05, min_lr=0.005),
    "plateau_cooldown": dict(factor=0.5, patience=1, threshold=0.05, cooldown=3),
    # Of 3 - metric, which rises.
    "plateau_absolute": dict(
        mode="max", factor=0.2, patience=1, threshold=0.02, threshold_mode="abs", cooldown=1
    ),
}


def save(name, rows):
    numpy.save(FOLDER / f"{name}.npy", numpy.array(rows, dtype=numpy.float32))


def weights_after_each_step(method, options, start, gradients):
    weights = torch.nn.Parameter(start.double())
    optimizer = method([weights], lr=RATE, **options)
    for gradient in gradients:
        weights.grad = gradient.double()
        optimizer.step()
        yield weights.tolist()


def any_optimizer():
    return optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def rates(steps, make):
    optimizer = any_optimizer()
    scheduler = make(optimizer)
    for step in range(steps):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()


def rates_after(metrics, options):
    optimizer = any_optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **options)
    for metric in metrics.tolist():
        scheduler.step(3 - metric if options.get("mode") == "max" else metric)
        yield optimizer.param_groups[0]["lr"]


def main():
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.npy"):
        old.unlink()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    start = torch.randn(SIZE)
    gradients = torch.randn(STEPS, SIZE)
    gradients[:, 1] *= 100
    gradients[:, 2] *= 1e-3
    gradients[:3, 3] = 0  # nothing yet
    gradients[2:, 4] = 0  # and nothing more
    save("weights", start)
    save("gradients", gradients)
    for name, (method, options) in UPDATES.items():
        save(name, list(weights_after_each_step(method, options, start, gradients)))
    for name, (steps, make) in RATES.items():
        save(name, list(rates(steps, make)))
    # Falls, stays, falls a little, rises.
    metrics = 1 + torch.cat([torch.exp(-torch.arange(8.0) / 2), torch.rand(16) / 8, torch.rand(8)])
    save("metrics", metrics)
    for name, options in PLATEAUS.items():
        save(name, list(rates_after(metrics, options)))


if __name__ == "__main__":
    main()
