"""Train a network on a picture, follow the spectrum of its tangent kernel, and draw what was found.

The small experiment (N = 400, five hidden layers of 64, 9 000 steps; some minutes on two cores):

    python examples/neural_spectrum.py docs/images/neural_spectrum.svg docs/images/eigenfunctions.png

The one of the literature (N = 10 000, five hidden layers of 256, 600 000 steps, the learning rate halved every 100 000;
days on a laptop), which writes checkpoints and goes on from the last one, bit for bit, when it is started again; the
curves are then those of the steps since:

    python examples/neural_spectrum.py spectrum.svg eigenfunctions.png --full --checkpoint run.npz

Kopitkov & Indelman 2019, arXiv 1910.08720. The picture comes with scikit-learn.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from estimators.layered import FullBatchDescent, LayeredNetwork, StepSchedule
from estimators.spectrum import LayeredModel, Spectrum, follow, spectrum
from estimators.spectrum.pictures import grey_values, sample_picture

PIXELS = 64  # of the pictures of eigenfunctions
SHOWN = (0, 1, 2, 4, 9, 19)  # which eigenfunctions


@dataclass(frozen=True)
class Experiment:
    """Sizes and times."""

    inputs: int = 400
    width: int = 64
    steps: int = 9000
    every: int = 3000
    between: int = 100
    cuts: tuple[int, ...] = (1, 10, 20, 80)
    modes: int | None = None


FULL = Experiment(10_000, 256, 600_000, 100_000, 5_000, (1, 20, 200, 400), 400)


def prepare(experiment: Experiment) -> FullBatchDescent:
    """Points spread uniformly, grey values of the picture there without their mean, and a Glorot network."""
    X = np.random.default_rng(0).uniform(-0.5, 0.5, (experiment.inputs, 2))
    y = grey_values(sample_picture(), X)
    network = LayeredNetwork((2, *[experiment.width] * 5), "leaky_relu(0.2)")
    return FullBatchDescent(
        network, X, y - y.mean(), StepSchedule(0.25, experiment.every), dtype=np.float32, check=False, rng=1
    )


def eigenfunctions(run: FullBatchDescent, found: Spectrum) -> np.ndarray:
    """The shown eigenfunctions on a grid of pixels, by Nystrom extension, shape (functions, PIXELS, PIXELS)."""
    axis = (np.arange(PIXELS) + 0.5) / PIXELS - 0.5
    grid = np.stack(np.meshgrid(axis, -axis), axis=-1).reshape(-1, 2)
    cross = LayeredModel(run.network, run.theta.astype(float)).gramian(grid, run.X)
    leading = Spectrum(found.eigenvalues[: max(SHOWN) + 1], found.eigenvectors[:, : max(SHOWN) + 1])
    return leading.extend(cross).T.reshape(-1, PIXELS, PIXELS)[list(SHOWN)]


def main(curves: str, pictures: str, experiment: Experiment, checkpoint: Path | None) -> None:
    """Train, look, and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    run = prepare(experiment)
    first = spectrum(LayeredModel(run.network, run.theta.astype(float)), run.X, experiment.modes)
    before = eigenfunctions(run, first)
    if checkpoint is not None and checkpoint.exists():
        run.resume(checkpoint)
        print(f"going on from step {run.step}")
    last: list[Spectrum] = []

    def seen(run: FullBatchDescent, found: Spectrum) -> None:
        last[:] = [found]
        if checkpoint is not None:
            run.save(checkpoint)

    steps = range(-(-run.step // experiment.between) * experiment.between, experiment.steps + 1, experiment.between)
    history = follow(run, steps, cuts=experiment.cuts, modes=experiment.modes, seen=seen)
    after = eigenfunctions(run, last[0])

    figure, ((top, edge), (energies, spectra)) = plt.subplots(2, 2, figsize=(9.6, 6.4), layout="constrained")
    t = history.steps
    for mode in (0, 4, 19, 79):
        top.semilogy(t, history.eigenvalues[:, mode] / experiment.inputs, label=rf"$\lambda_{{{mode + 1}}}/N$")
    trained = t < experiment.steps  # the rate after the last step is never used
    top.semilogy(t[trained], 2 / history.learning_rates[trained], "k--", lw=1, label=r"$2/\delta$")
    top.set(title="eigenvalues of the tangent kernel", xlabel="step")
    edge.plot(t[trained], history.edge[trained])
    edge.axhline(2, color="k", ls="--", lw=1)
    edge.set(title=r"$\delta\lambda_1/N$", xlabel="step", ylim=(0, None))
    for column, cut in enumerate(experiment.cuts[1:], start=1):
        energies.semilogy(t, 1 - history.target[:, column], color=f"C{column}", label=f"target, k = {cut}")
        energies.semilogy(t, 1 - history.output[:, column], ":", color=f"C{column}", label=f"output, k = {cut}")
    energies.set(title="energy outside the first k modes", xlabel="step")
    spectra.loglog(np.arange(1, len(first.eigenvalues) + 1), first.eigenvalues / experiment.inputs, label="step 0")
    for row in [int(np.searchsorted(t, step)) for step in (experiment.every, experiment.steps)]:
        values = history.eigenvalues[row] / experiment.inputs
        spectra.loglog(np.arange(1, len(values) + 1), values, label=f"step {t[row]}")
    spectra.set(title=r"spectra $\lambda_i/N$", xlabel="i", ylim=(1e-8, None))
    for axes in (top, energies, spectra):
        axes.legend(fontsize=7, frameon=False)
    for axes in (top, edge, energies, spectra):
        axes.grid(alpha=0.25)
        axes.title.set_fontsize(10)
    figure.savefig(curves, metadata={"Date": None} if curves.endswith(".svg") else None, dpi=150)

    figure, rows = plt.subplots(2, len(SHOWN) + 1, figsize=(9.6, 3.0), layout="constrained")
    panels = (("step 0", before), (f"step {run.step}", after))
    for axes, (label, functions) in zip(rows, panels, strict=True):
        axes[0].imshow(sample_picture(size=384), cmap="gray")
        axes[0].set_ylabel(label, fontsize=9)
        for place, mode, function in zip(axes[1:], SHOWN, functions, strict=True):
            largest = np.abs(function).max()
            place.imshow(function, cmap="RdBu_r", vmin=-largest, vmax=largest)
            place.set_title(f"mode {mode + 1}", fontsize=8)
        for place in axes:
            place.set(xticks=[], yticks=[])
    figure.savefig(pictures, metadata={"Software": None} if pictures.endswith(".png") else None, dpi=90)

    for name, begin, end in (("start", 0, 0), *_windows(experiment)):
        inside = (t >= begin) & (t <= end)
        if inside.any():
            numbers = [history.edge, history.losses, *history.target.T, history.active]
            print(name, *(f"{values[inside].mean():.4g}" for values in numbers))


def _windows(experiment: Experiment) -> list[tuple[str, int, int]]:
    """The second half of each stretch of one learning rate."""
    starts = range(0, experiment.steps, experiment.every)
    return [
        (f"{s + experiment.every // 2}-{s + experiment.every - 1}", s + experiment.every // 2, s + experiment.every - 1)
        for s in starts
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="?", default="neural_spectrum.svg")
    parser.add_argument("pictures", nargs="?", default="eigenfunctions.png")
    parser.add_argument("--full", action="store_true", help="the sizes of the literature")
    parser.add_argument("--checkpoint", type=Path, help="where the run is saved, and from where it goes on")
    options = parser.parse_args()
    main(options.curves, options.pictures, FULL if options.full else Experiment(), options.checkpoint)
