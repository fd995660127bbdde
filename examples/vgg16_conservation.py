"""Train VGG-16 and hold the charges of its symmetries against theory, as Kunin et al. 2020 (arXiv 2012.04728) do.

The committed figure, on handwritten digits (needs the extras ``torch``, ``digits`` and ``plot``):

    python examples/vgg16_conservation.py --out docs/images/vgg16_conservation.svg

The full run of the paper, on a folder of images with one subfolder per class (needs torchvision), which goes on where
it was interrupted when it is called again:

    python examples/vgg16_conservation.py --data tiny-imagenet-200/train --size 64 --width 1 --batch 256 \\
        --epochs 100 --learning-rate 0.1 --weight-decay 0 1e-4 5e-4 1e-3 --every 50 --checkpoints runs --out vgg16.svg
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from estimators.mechanics import ChargeRecorder, Hyperparameters, Symmetry
from randtensor.errors import InputError
from theory_checks.symmetries import find_symmetries

#: channels of the convolutions, and poolings
LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def vgg16(classes: int, *, width: float = 1.0, normalized: bool, size: int, eps: float = 1e-30) -> nn.Sequential:
    """VGG-16 for images of ``size`` x ``size`` pixels, with channels multiplied by ``width``.

    Convolutions start from He's normal law by fan-out and with zero biases, the read-out from N(0, 0.01^2). PyTorch
    wants a positive constant in batch normalisation; 1e-30 is lost in rounding, and keeps the scale symmetry exact.
    """
    network, channels, side = nn.Sequential(), 3, size
    for layer in LAYERS:
        if layer == "M":
            network.append(nn.MaxPool2d(2))
            side //= 2
            continue
        out = max(1, round(width * int(layer)))
        network.append(nn.Conv2d(channels, out, 3, padding=1))
        if normalized:
            network.append(nn.BatchNorm2d(out, eps=eps))
        network.append(nn.ReLU())
        channels = out
    network.append(nn.Flatten())
    network.append(nn.Linear(channels * side**2, classes))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)
    return network


@dataclass(frozen=True)
class Images:
    """Images as (examples, 3, size, size), with classes: all in memory, or read one by one."""

    count: int
    classes: int
    read: Any

    @classmethod
    def digits(cls, size: int, dtype: torch.dtype) -> Images:
        """Scikit-learn's handwritten digits, enlarged and standardised."""
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        images = torch.tensor(pixels.reshape(-1, 1, 8, 8) / 16, dtype=dtype)
        images = nn.functional.interpolate(images, size=(size, size), mode="bilinear")
        images = ((images - images.mean()) / images.std()).expand(-1, 3, -1, -1).contiguous()
        targets = torch.tensor(labels)
        return cls(len(images), 10, lambda rows: (images[rows], targets[rows]))

    @classmethod
    def folder(cls, path: str, size: int, dtype: torch.dtype) -> Images:
        """A folder with one subfolder of images per class."""
        try:
            from torchvision import datasets, transforms
        except ImportError as error:
            raise SystemExit(
                "torchvision is not installed, expected it to read images: pip install torchvision"
            ) from error
        means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor()]
        data = datasets.ImageFolder(path, transforms.Compose([*steps, transforms.Normalize(means, deviations)]))

        def read(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            pairs = [data[int(row)] for row in rows]
            return torch.stack([image for image, _ in pairs]).to(dtype), torch.tensor([label for _, label in pairs])

        return cls(len(data), len(data.classes), read)

    def batches(self, size: int, seed: int, first: int) -> Iterator[torch.Tensor]:
        """Rows of the batches from step ``first`` on; each epoch has an order of its own."""
        per_epoch = self.count // size
        step = first
        while True:
            epoch, position = divmod(step, per_epoch)
            order = torch.randperm(self.count, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
            for start in range(position * size, per_epoch * size, size):
                yield order[start : start + size]
                step += 1


def train(
    network: nn.Module,
    images: Images,
    symmetries: list[Symmetry],
    hyperparameters: Hyperparameters,
    *,
    learning_rate: Any,
    steps: int,
    batch: int,
    seed: int = 0,
    every: int = 1,
    checkpoint: Path | None = None,
    checkpoint_every: int = 1000,
) -> tuple[ChargeRecorder, float]:
    """Train with PyTorch's SGD and record the charges; returns the record and the loss of the last batch.

    ``learning_rate`` is a number or a function of the step. With ``checkpoint`` a run goes on where the file says that
    it stood, and its further course is the same bit for bit.
    """
    names = {part.name for symmetry in symmetries for part in symmetry.parts}
    named = {name: p for name, p in network.named_parameters() if name in names}
    rate = learning_rate if callable(learning_rate) else lambda step: learning_rate
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=rate(0),
        momentum=hyperparameters.momentum,
        dampening=hyperparameters.dampening,
        weight_decay=hyperparameters.weight_decay,
        nesterov=hyperparameters.nesterov,
    )
    recorder = ChargeRecorder(symmetries, hyperparameters, _arrays(named), every=every)
    settings = {"hyperparameters": asdict(hyperparameters), "batch": batch, "seed": seed, "every": every}
    done, loss = 0, float("nan")
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        if state["settings"] != settings:
            raise InputError(f"checkpoint {checkpoint} is of a run with {state['settings']}, expected {settings}")
        network.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        recorder.restore(state["record"])
        done, loss = state["step"], state["loss"]
    network.train()
    for step, rows in zip(range(done, steps), images.batches(batch, seed, done), strict=False):
        optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.zero_grad()
        inputs, targets = images.read(rows)
        value = nn.functional.cross_entropy(network(inputs), targets)
        value.backward()
        gradients = _arrays({name: p.grad for name, p in named.items()})
        optimizer.step()
        velocities = None
        if hyperparameters.momentum:
            velocities = _arrays({name: optimizer.state[p]["momentum_buffer"] for name, p in named.items()})
        recorder.record(_arrays(named), gradients, velocities, learning_rate=rate(step))
        loss = float(value.detach())
        if not np.isfinite(loss):
            raise SystemExit(f"training diverged at step {step}, expected a smaller learning rate than {rate(step):g}")
        if checkpoint is not None and ((step + 1) % checkpoint_every == 0 or step + 1 == steps):
            _save(checkpoint, network, optimizer, recorder, {"settings": settings, "step": step + 1, "loss": loss})
    return recorder, loss


def _arrays(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    """Copies in double precision, in which charges are summed."""
    return {name: tensor.detach().cpu().numpy().astype(float) for name, tensor in tensors.items()}


def _save(path: Path, network: Any, optimizer: Any, recorder: ChargeRecorder, further: dict[str, Any]) -> None:
    """Write a checkpoint; an interrupted one leaves the last."""
    states = {"model": network.state_dict(), "optimizer": optimizer.state_dict(), "record": recorder.state()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(states | further, partial)
    partial.replace(path)


def families(network: nn.Module) -> dict[str, list[Symmetry]]:
    """The symmetries of a network by family, in the order of its layers."""
    found: dict[str, list[Symmetry]] = {"translation": [], "scale": [], "rescale": []}
    for symmetry in find_symmetries(network):
        # sums of biases are one number each; the paper shows those of weights
        if symmetry.family != "translation" or symmetry.parts[0].name.endswith("weight"):
            found[symmetry.family].append(symmetry)
    return found


#: which network shows which family
PANELS = {"translation": False, "rescale": False, "scale": True}


def main() -> None:
    """Train all runs, print how far theory and measurement are apart, and draw."""
    options = _options()
    torch.set_default_dtype(torch.float32 if options.single else torch.float64)
    torch.set_num_threads(options.threads)
    dtype = torch.get_default_dtype()
    images = Images.folder(options.data, options.size, dtype) if options.data else Images.digits(options.size, dtype)
    steps = options.steps if options.epochs is None else options.epochs * (images.count // options.batch)
    records: dict[tuple[bool, float, float], ChargeRecorder] = {}
    for normalized in (False, True):
        for rate in options.learning_rate:
            for decay in options.weight_decay:
                torch.manual_seed(options.seed)
                network = vgg16(
                    images.classes, width=options.width, normalized=normalized, size=options.size, eps=options.eps
                )
                shown = [s for name, found in families(network).items() if PANELS[name] is normalized for s in found]
                given = Hyperparameters(decay, options.momentum, options.dampening)
                label = f"{'bn' if normalized else 'plain'}-eta{rate:g}-lambda{decay:g}"
                start = time.perf_counter()
                recorder, loss = train(
                    network, images, shown, given, learning_rate=rate, steps=steps, batch=options.batch,
                    seed=options.seed, every=options.every,
                    checkpoint=Path(options.checkpoints, f"{label}.pt") if options.checkpoints else None,
                )  # fmt: skip
                records[normalized, rate, decay] = recorder
                print(f"{label}: loss {loss:.3f} after {steps} steps, {time.perf_counter() - start:.0f} s", flush=True)
                for family in {symmetry.family for symmetry in shown}:
                    names = [symmetry.name for symmetry in shown if symmetry.family == family]
                    worst = {law: max(recorder.deviation(n, law) for n in names) for law in ("exact", "continuous")}
                    print(
                        f"    {family}, {len(names)} layers: recursion off by {worst['exact']:.1e}, "
                        f"formula by {worst['continuous']:.1e}, relative",
                        flush=True,
                    )
    draw(records, options)


def draw(records: dict[tuple[bool, float, float], ChargeRecorder], options: argparse.Namespace) -> None:
    """One column per family, one row per learning rate; colours are weight decays, dashes are theory."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    labels = {
        "translation": r"translation: six column sums $\langle w_j, 1\rangle$ of the read-out",
        "rescale": r"rescale: $\|W_{in}\|^2 - \|W_{out}\|^2$ of each layer",
        "scale": r"scale: $\|W\|^2$ of each layer, over its start",
    }
    rates = options.learning_rate
    figure, axes = plt.subplots(len(rates), 3, figsize=(11, 3.1 * len(rates)), layout="constrained", squeeze=False)
    for number, (row, rate) in enumerate(zip(axes, rates, strict=True)):
        for panel, (family, normalized) in zip(row, PANELS.items(), strict=True):
            for k, decay in enumerate(options.weight_decay):
                recorder = records[normalized, rate, decay]
                names = [symmetry.name for symmetry in recorder.symmetries if symmetry.family == family]
                for name in names:
                    measured, theory = (
                        _curves(series[name], family) for series in (recorder.measured, recorder.continuous)
                    )
                    lines = panel.plot(recorder.times, measured, color=f"C{k}", lw=2.2, alpha=0.55)
                    panel.plot(recorder.times, theory, color="black", lw=0.7, ls=(0, (4, 3)))
                    if name == names[0]:
                        lines[0].set_label(rf"$\lambda = {decay:g}$")
            panel.set_title("" if number else labels[family], fontsize=9)
            panel.set_xlabel(r"$t = \eta \times$ step")
            panel.grid(alpha=0.25)
        row[0].set_ylabel(rf"$\eta = {rate:g}$")
        row[0].legend(fontsize=7, frameon=False)
    figure.suptitle("VGG-16: charges in training (colours) and the formulas of continuous time (dashes)", fontsize=10)
    figure.savefig(options.out, metadata={"Date": None} if options.out.endswith(".svg") else None, dpi=150)


def _curves(series: list[np.ndarray], family: str) -> np.ndarray:
    """Six column sums, the largest ones, or the sum over the units of a layer, for scale relative to its start."""
    values = np.stack(series)
    if family == "translation":
        return values[:, np.argsort(-np.abs(values[0]))[:6]]
    total = values.sum(axis=1)
    return total / total[0] if family == "scale" else total


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of images, one subfolder per class; handwritten digits without it")
    parser.add_argument("--size", type=int, default=32, help="pixels along each side, a multiple of 32")
    parser.add_argument("--width", type=float, default=0.125, help="factor on the numbers of channels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--epochs", type=int, help="instead of steps")
    parser.add_argument("--learning-rate", type=float, nargs="+", default=[0.1, 0.05])
    parser.add_argument("--weight-decay", type=float, nargs="+", default=[0.0, 1e-2, 5e-2])
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--dampening", type=float, default=0.0)
    parser.add_argument("--eps", type=float, default=1e-30, help="of batch normalisation; PyTorch's own is 1e-5")
    parser.add_argument("--every", type=int, default=1, help="keep the charges of every so many steps")
    parser.add_argument("--single", action="store_true", help="single precision")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoints", help="folder of checkpoints, to go on from")
    parser.add_argument("--out", default="vgg16_conservation.svg", help="the figure")
    options = parser.parse_args()
    if options.size < 32 or options.size % 32:
        parser.error(f"--size is {options.size}, expected a multiple of 32")
    return options


if __name__ == "__main__":
    main()
