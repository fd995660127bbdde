"""The command line: ``randtensor verify``, ``list``, ``predict`` and ``rate``, and those of `cli_records`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from randtensor.errors import InputError
from theory_checks.cli_records import COMMANDS, write_documents
from theory_checks.plan_command import plan
from theory_checks.store_commands import gc, opened_workers, worker_options
from theory_checks.terminal import Program, check_writable, console, progress_bar

__all__ = ["main"]


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from theory_checks.reports import package_version

        click.echo(f"randtensor {package_version()}")
        context.exit()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
def main() -> None:
    """Hold claims about random tensors and wide networks against samples of them.

    Exit status: 0 every verdict is as expected, 1 a claim is refuted (or a negative control is not), 2 bad input, 3
    nothing is refuted but something is inconclusive (of rate: the numbers have no exponent), 130 interrupted (what was
    checked by then is kept).
    """


@main.command()
@click.argument("targets", nargs=-1, metavar="[SUITE | FILE.toml | FILE.py]...")
@click.option("--budget", type=float, default=1.0, show_default=True, help="Factor on the number of samples.")
@worker_options
@click.option("--rng", type=int, default=0, show_default=True, help="Seed: the same seed gives the same numbers.")
@click.option(
    "--only",
    multiple=True,
    metavar="TEXT",
    help="Only claims with this id, part of an id or name, or glob; repeatable, or separated by commas.",
)
@click.option("--quick", is_flag=True, help="Smaller sizes and fewer samples.")
@click.option(
    "--time-budget",
    type=float,
    default=None,
    metavar="SECONDS",
    help="Time for the whole run: samples follow from measured cost and scatter, until every verdict is decided.",
)
@click.option(
    "--false-refutation",
    type=float,
    default=1e-4,
    show_default=True,
    metavar="P",
    help="Probability that the run refutes anything true.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Draw the samples of an earlier results.json again: with the same seed, the same numbers.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    metavar="DIR",
    help="Directory for results.json, and for the report: page, appendix with figures, tables.",
)
@click.option(
    "--report/--no-report",
    "documents",
    default=None,
    help="Render the results, about half a second per claim [default: if --out is given].",
)
@click.option(
    "--inputs", type=click.Path(path_type=Path), default=None, help="Input vectors as rows: a .npy or .csv file."
)
@click.option(
    "--normalize/--no-normalize",
    default=True,
    show_default=True,
    help="Scale every input vector to squared length equal to its dimension, as the NTK parametrisation assumes.",
)
@click.pass_context
def verify(
    context: click.Context,
    /,
    targets: tuple[str, ...],
    budget: float,
    rng: int,
    only: tuple[str, ...],
    quick: bool,
    time_budget: float | None,
    false_refutation: float,
    replay: Path | None,
    out: Path,
    documents: bool | None,
    inputs: Path | None,
    normalize: bool,
    **workplace: Any,
) -> None:
    """Check the claims of suites and files; without any, those of every suite.

    A FILE.toml has tables of claims (see randtensor new); a FILE.py defines claims = [theory_checks.Claim(...), ...].
    """
    from theory_checks.inputs import load_inputs
    from theory_checks.reports import Interrupted
    from theory_checks.suites import SUITES
    from theory_checks.verification import verify as run

    check_writable(out)
    rows = None
    if inputs is not None:
        if targets and not any(target in SUITES for target in targets):
            raise InputError("inputs is given, but only suites use it, expected the name of a suite")
        rows = load_inputs(inputs, normalize=normalize)
    with opened_workers(**workplace) as workers, progress_bar() as progress:
        try:
            report = run(
                list(targets or sorted(SUITES)),
                rng=rng,
                jobs=workers,
                budget=budget,
                only=only or None,
                quick=quick,
                inputs=rows,
                false_refutation=false_refutation,
                time_budget=time_budget,
                replay=replay,
                progress=progress,
            )
        except Interrupted as interruption:
            report = interruption.report
    path = report.save(out)
    console().print(report)
    click.echo(f"results: {path}")
    if report.traffic is not None:
        click.echo(f"store: {report.traffic.read} samples read, {report.traffic.kept} drawn and kept")
    given = context.get_parameter_source("out") is ParameterSource.COMMANDLINE
    if given if documents is None else documents:
        write_documents(report.to_dict(), out)
    context.exit(report.exit_status)


@main.command(name="list")
@click.argument("targets", nargs=-1, metavar="[SUITE | FILE.toml | FILE.py]...")
def list_claims(targets: tuple[str, ...]) -> None:
    """List the claims of suites and files; without any, those of every suite."""
    from theory_checks.loading import load_claims
    from theory_checks.suites import SUITES, SuiteOptions
    from theory_checks.tables import claims_table

    for loaded in load_claims(list(targets or sorted(SUITES)), SuiteOptions()):
        console().print(claims_table(loaded))


@main.command()
@click.argument("equation")
@click.option(
    "--classes",
    default=None,
    metavar="ITEMS",
    help="Class of all operands, or one item per operand, separated by commas: CLASS, NAME=CLASS, or the NAME of an "
    "earlier one, with * for the conjugate. Equal names are one tensor, and a class without a name is its own name. "
    "[default: gaussian]",
)
@click.option("--dim", "dims", multiple=True, metavar="INDEX=SIZE", help="Dimension of an index [default: n].")
@click.option(
    "--network",
    metavar="ACTIVATION",
    default=None,
    help="The operands are derivative tensors of a network: terms of k letters are derivatives of order k. "
    "relu stands for sqrt(2) max(z, 0).",
)
@click.option("--depth", type=int, default=None, help="Hidden layers of the network [default: 1].")
@click.option(
    "--n", "sizes", default="16,32,64,128", show_default=True, metavar="SIZES", help="Sizes that a fit would use."
)
def predict(
    equation: str, classes: str | None, dims: tuple[str, ...], network: str | None, depth: int | None, sizes: str
) -> None:
    """Predict a contraction without sampling: expectation, variance, order, derivation, and sample size.

    EQUATION is an einsum equation with a scalar result, such as "abc,ade,fbe,fdc->".
    """
    from theory_checks.predicting import from_classes, from_network
    from theory_checks.predicting import predict as run
    from theory_checks.tables import prediction_table

    pairs: dict[str, str] = {}
    for index, size in map(_pair, dims):
        if pairs.setdefault(index, size) != size:
            raise InputError(f"dim gives the index {index!r} the sizes {pairs[index]} and {size}, expected one")
    if network is None:
        if depth is not None:
            raise InputError(f"depth is {depth}, but there is no network, expected both or neither")
        quantity = from_classes(equation, classes or "gaussian", pairs)
    else:
        for option, given in (("dim", pairs), ("classes", classes)):
            if given:
                raise InputError(f"{option} is given together with network, whose width is n, expected one of them")
        quantity = from_network(equation, network, 1 if depth is None else depth)
    try:
        numbers = [int(size) for size in sizes.split(",")]
    except ValueError:
        raise InputError(f"n is {sizes!r}, expected sizes separated by commas, such as 16,32,64") from None
    console().print(prediction_table(run(quantity, equation, numbers)))


@main.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv")
@click.option(
    "--correction",
    default="auto",
    show_default=True,
    metavar="W[,W]|auto|none",
    help="Powers w of the correction 1 + c n^-w; auto tries 1/2 and 1, which are also tried beside those given.",
)
@click.option("--trust", is_flag=True, help="Try only the powers given: a shorter interval, wrong if they are.")
@click.option(
    "--log",
    "log_power",
    is_flag=False,
    flag_value="fit",
    default=None,
    metavar="[B]",
    help="The law has a factor (log n)^B; without B, the power is fitted.",
)
@click.option("--statistic", default=None, metavar="NAME", help="Of raw samples [default: mean].")
@click.option(
    "--json", "record", type=click.Path(path_type=Path), default=None, metavar="FILE", help="Keep the result."
)
@click.option(
    "--plot", type=click.Path(path_type=Path), default=None, metavar="FILE.svg", help="Draw values, slopes and models."
)
@click.pass_context
def rate(
    context: click.Context,
    file: Path,
    correction: str,
    trust: bool,
    log_power: str | None,
    statistic: str | None,
    record: Path | None,
    plot: Path | None,
) -> None:
    """Infer the exponent with which the numbers in a file scale.

    Columns: n, value and optionally stderr; or n and sample, one sample per line. A header is optional.

    Exit status: 0 there is an exponent, 2 bad input, 3 the values change sign or are too near to zero to have one.
    """
    from theory_checks.rate_file import read_rate
    from theory_checks.rate_options import log_power_of, powers_of
    from theory_checks.rate_record import check_places, save_rate
    from theory_checks.rate_tables import rate_report

    check_places(record, plot)
    found = read_rate(
        file,
        statistic=statistic,
        correction=powers_of(correction),
        log_power=log_power_of(log_power),
        hedged=not trust,
    )
    # before the report: the reader of a pipe may leave in the middle of it
    written = save_rate(found, record, plot)
    console().print(rate_report(found))
    for place in written:
        click.echo(f"written: {place}")
    context.exit(3 if found.reason is not None else 0)


def _pair(text: str) -> tuple[str, str]:
    index, equal, size = text.partition("=")
    if not equal or len(index.strip()) != 1 or not size.strip():
        raise InputError(f"dim is {text!r}, expected an index letter and its size, such as a=2*n")
    return index.strip(), size.strip()


for command in (*COMMANDS, gc, plan):
    main.add_command(command)


if __name__ == "__main__":
    main()
