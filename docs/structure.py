"""Draw how the packages hang together, from the imports of every module.

    python -m docs.structure docs/images/structure.svg

Modules are gathered in rooms. An arrow means that a module of the one room imports from the other when it is loaded;
arrows that follow from others are left out, and all of them point down. Imports within functions, which load heavy
parts when they are needed, are drawn for the command line alone, which loads everything in this way.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

__all__ = ["PACKAGES", "ROOMS", "imports", "module_names", "picture", "room_of", "rooms_imported"]

ROOT = Path(__file__).parents[1]
PACKAGES = ("theory_checks", "estimators", "randtensor")

#: room -> the modules in it, and whatever is below them
ROOMS: dict[str, tuple[str, ...]] = {
    "command line": (
        "theory_checks.cli",
        "theory_checks.cli_records",
        "theory_checks.terminal",
        "theory_checks.store_commands",
        "theory_checks.plan_command",
        "theory_checks.inputs",
        "theory_checks.tables",
    ),
    "runs": (
        "theory_checks.verification",
        "theory_checks.reproducing",
        "theory_checks.loading",
        "theory_checks.reports",
        "theory_checks.adaptive",
        "theory_checks.allocation",
        "theory_checks.budget",
        "theory_checks.planning",
    ),
    "checks": (
        "theory_checks.checks",
        "theory_checks.findings",
        "theory_checks.quantiles",
        "theory_checks.values",
        "theory_checks.results",
        "theory_checks.detection",
        "theory_checks.pytest_support",
    ),
    "verdicts": ("theory_checks.verdicts", "theory_checks.regions"),
    "claims": (
        "theory_checks.claims",
        "theory_checks.predictions",
        "theory_checks.families",
    ),
    "claim files": ("theory_checks.claim_files", "theory_checks.prediction_text", "theory_checks.predicting"),
    "suites": ("theory_checks.suites", "theory_checks.symmetries", "theory_checks.coordinates"),
    "reports": ("theory_checks.rendering",),
    "rates of files": (
        "theory_checks.rate_file",
        "theory_checks.rate_options",
        "theory_checks.rate_record",
        "theory_checks.rate_rows",
        "theory_checks.rate_tables",
    ),
    "sampling": (
        "estimators.sampling",
        "estimators.sources",
        "estimators.workers",
        "estimators.portions",
        "estimators.memory",
        "estimators.costs",
        "estimators.joint",
        "estimators.store",
        "estimators._records",
        "estimators._samples_of_both",
        "estimators._linear_arguments",
    ),
    "statistics": (
        "estimators.statistics",
        "estimators.moments",
        "estimators.power_sums",
        "estimators.heavy_tails",
        "estimators.errors_of_samples",
        "estimators.exact_variance",
        "estimators._k_statistics",
        "estimators._equality",
        "estimators._witnesses",
    ),
    "estimates": ("estimators.estimation", "estimators.merging", "estimators._points"),
    "rates": (
        "estimators.rates",
        "estimators.rate_fit",
        "estimators.more_samples",
        "estimators.scalings",
        "estimators.identification",
        "estimators.plots",
        "estimators._decisive",
        "estimators._magnitudes",
        "estimators._order_fits",
        "estimators._order_plot",
        "estimators._order_result",
        "estimators._order_selection",
        "estimators._power_law",
        "estimators._single_laws",
    ),
    "distance to Gaussian": ("estimators.cumulants", "estimators.gaussianity", "estimators.conditional"),
    "kernels and limits": ("estimators.kernels", "estimators.limit", "estimators.gaussian_process"),
    "training": (
        "estimators.training",
        "estimators.layered",
        "estimators.coordinate_check",
        "estimators.neurons",
    ),
    "mechanics": ("estimators.mechanics",),
    "spectrum of the kernel": ("estimators.spectrum",),
    "testing": ("randtensor.strategies", "randtensor.hypothesis_entry", "randtensor.pytest_plugin"),
    "prediction": ("randtensor.prediction",),
    "exact": ("randtensor.exact",),
    "contraction": (
        "randtensor.contraction",
        "randtensor.combination",
        "randtensor.coincidences",
        "randtensor.correlations",
        "randtensor.derivatives",
        "randtensor.derivative_contraction",
        "randtensor.norms",
        "randtensor.spectra",
        "randtensor.krylov",
        "randtensor.pairwise",
        "randtensor.planning",
        "randtensor.gradient_step",
    ),
    "random functions": (
        "randtensor.random_function",
        "randtensor.networks",
        "randtensor.functions",
        "randtensor.parameter_space",
        "randtensor.programs",
    ),
    "activations": (
        "randtensor.programs.activations",
        "randtensor.programs._elementary_taylor",
        "randtensor.programs.polynomials",
    ),
    "adapters": ("randtensor.interop",),
    "mean field": ("randtensor.mean_field",),
    "tensors": ("randtensor.tensors",),
    "revealed matrices": ("randtensor.revealed",),
    "quantities": (
        "randtensor.quantity",
        "randtensor.parametric",
        "randtensor.seeding",
        "randtensor.arguments",
        "randtensor._blas",
    ),
    "orders": ("randtensor.orders", "randtensor.expansions", "randtensor.dimensions", "randtensor.notebook"),
    "errors": ("randtensor.errors",),
}


@cache
def module_names() -> dict[str, Path]:
    """Every module of the three packages, with its file."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def room_of(module: str) -> str | None:
    """The room of a module: that of its nearest parent that stands in one; the packages themselves are in none.

    >>> room_of("randtensor.orders"), room_of("randtensor.programs.activations"), room_of("randtensor")
    ('orders', 'activations', None)
    """
    rooms = {entry: room for room, entries in ROOMS.items() for entry in entries}
    while "." in module:
        if module in rooms:
            return rooms[module]
        module = module.rpartition(".")[0]
    return None


def _statements(path: Path) -> Iterator[ast.AST]:
    """What is run when a file is loaded; for the command line also what its functions run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return ast.walk(tree) if room_of(module) == "command line" else iter(tree.body)


def imports(path: Path) -> Iterator[str]:
    """Modules of the three packages that a file imports when it is loaded."""
    modules = module_names()
    for node in _statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and str(node.module) in modules:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else str(node.module)


@cache
def rooms_imported() -> dict[str, set[str]]:
    """Rooms by the rooms they import from; a name of a whole package counts for the room that the name comes from."""
    modules = module_names()
    front = {}
    for package in PACKAGES:
        tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
        front[package] = {
            alias.asname or alias.name: room_of(
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in modules else str(node.module)
            )
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module, path in modules.items():
        room = room_of(module)
        if room is None:
            continue
        targets = {room_of(target) for target in imports(path)}
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for alias_of, package in _fronts(tree):
            names = _attributes(tree, alias_of) if alias_of else _from_front(tree, package)
            targets |= {front[package].get(name) or room_of(f"{package}.{name}") for name in names}
        found[room] |= {target for target in targets if target is not None and target != room}
    return found


def _fronts(tree: ast.Module) -> Iterator[tuple[str | None, str]]:
    """Packages imported as a whole (with the name they go by), or from."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((a.asname or a.name, a.name) for a in node.names if a.name in PACKAGES)
        elif isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
            yield None, str(node.module)


def _attributes(tree: ast.Module, name: str) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def _from_front(tree: ast.Module, package: str) -> set[str]:
    return {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == package
        for alias in node.names
    }


def reduced(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The graph without the arrows that follow from others.

    >>> reduced({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    {'a': {'b'}, 'b': {'c'}, 'c': set()}
    """

    @cache
    def below(node: str) -> set[str]:
        return set().union(*({target} | below(target) for target in graph[node])) if graph[node] else set()

    return {
        node: {t for t in targets if not any(t in below(other) for other in targets - {t})}
        for node, targets in graph.items()
    }


def depths(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """The length of the longest way down from each room within its package.

    Raises
    ------
    ValueError : rooms that import each other.
    """
    package = {room: entries[0].partition(".")[0] for room, entries in ROOMS.items()}
    found: dict[str, int] = {}

    def depth(room: str, above: tuple[str, ...]) -> int:
        if room in above:
            raise ValueError(f"rooms import each other: {' -> '.join((*above, room))}")
        if room not in found:
            inner = [t for t in graph[room] if package[t] == package[room]]
            found[room] = max((1 + depth(t, (*above, room)) for t in inner), default=0)
        return found[room]

    for room in graph:
        depth(room, ())
    return found


_WIDTH, _BOX, _HEIGHT, _ROW, _GAP = 1040, 164, 34, 66, 30
_COLORS = {"theory_checks": "#8c5a2b", "estimators": "#2b6c8c", "randtensor": "#3f7d3a"}


def places() -> dict[str, tuple[float, float]]:
    """The middle of each room's box: a band per package, rows by depth, sorted by where what they import stands."""
    graph = rooms_imported()
    depth, arrows = depths(graph), reduced(graph)
    found: dict[str, tuple[float, float]] = {}
    bottom = _height()
    for package in reversed(PACKAGES):
        own = [room for room, entries in ROOMS.items() if entries[0].startswith(f"{package}.")]
        for level in range(1 + max(depth[room] for room in own)):
            row = [room for room in own if depth[room] == level]

            def under(room: str) -> float:
                xs = [found[target][0] for target in arrows[room] if target in found]
                return sum(xs) / len(xs) if xs else _WIDTH / 2

            row.sort(key=lambda room: (under(room), room))
            y = bottom - _GAP - _HEIGHT / 2 - level * _ROW
            for i, room in enumerate(row):
                # a room that is alone in its row steps aside, so that arrows past it can be told from its own
                aside = (-1) ** level * 0.14 * _WIDTH if len(row) == 1 else 0.0
                found[room] = _WIDTH * (i + 0.5) / len(row) + aside, y
        bottom -= _band(package)
    return found


def _band(package: str) -> float:
    depth = depths(rooms_imported())
    return (
        max(depth[room] for room, entries in ROOMS.items() if entries[0].startswith(f"{package}.")) * _ROW
        + _HEIGHT
        + 2 * _GAP
    )


def _height() -> float:
    return sum(_band(package) for package in PACKAGES)


def picture() -> str:
    """The drawing, as SVG."""
    at, graph = places(), reduced(rooms_imported())
    package = {room: entries[0].partition(".")[0] for room, entries in ROOMS.items()}
    height = _height()
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" '
        'font-family="sans-serif" role="img">',
        "<title>Rooms of the three packages, and which imports from which</title>",
        f'<rect width="{_WIDTH}" height="{height:g}" fill="white"/>',
    ]
    top = 0.0
    for name in PACKAGES:
        color = _COLORS[name]
        lines.append(f'<rect y="{top:g}" width="{_WIDTH}" height="{_band(name):g}" fill="{color}" opacity="0.08"/>')
        lines.append(f'<text x="10" y="{top + 20:g}" font-size="15" font-weight="bold" fill="{color}">{name}</text>')
        top += _band(name)
    for room, targets in graph.items():
        for target in sorted(targets):
            (x, y), (u, v) = at[room], at[target]
            y, v = y + _HEIGHT / 2, v - _HEIGHT / 2
            middle = (y + v) / 2
            path = f"M{x:.0f},{y:.0f} C{x:.0f},{middle:.0f} {u:.0f},{middle:.0f} {u:.0f},{v:.0f}"
            opacity = 0.75 if package[room] == package[target] else 0.4
            color = _COLORS[package[room]]
            lines.append(f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.4" opacity="{opacity}"/>')
    for room, (x, y) in at.items():
        color = _COLORS[package[room]]
        box = f'x="{x - _BOX / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_BOX}" height="{_HEIGHT}"'
        lines.append(f'<rect {box} rx="6" fill="white" stroke="{color}" stroke-width="1.5"/>')
        lines.append(f'<text x="{x:.0f}" y="{y + 5:.0f}" font-size="13" text-anchor="middle">{room}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), encoding="utf-8")
