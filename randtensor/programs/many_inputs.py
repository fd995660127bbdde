"""One function at many inputs, as one program: what the inputs share is asked for once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from randtensor.programs.graph import Graph

if TYPE_CHECKING:
    from randtensor.random_function import RandomFunction

__all__ = ["many_inputs", "owners"]


def many_inputs(function: RandomFunction, shape: tuple[int, ...], count: int) -> RandomFunction:
    """The function of a stack of ``count`` inputs of one shape, whose output lists the outputs at each in turn.

    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"))
    >>> many_inputs(f, (2,), 3)([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).sample(16, rng=0).shape
    (1, 3)
    """
    from randtensor.random_function import RandomFunction

    outputs, forward = function.outputs(shape), function.forward

    def at_all(p: Any, stack: Any) -> list[Any]:
        values = [forward(p, stack[i]) for i in range(count)]
        return values if outputs is None else [value[o] for value in values for o in range(outputs)]

    return RandomFunction(at_all, function.space, f"{function.name} at {count} inputs")


def owners(graph: Graph, count: int) -> list[int]:
    """For every node of such a program the input that it belongs to.

    A parameter belongs to the input whose branch of the program uses it: every branch has nodes of its own for it.
    """
    found = [-1] * len(graph.nodes)
    stack = graph.nodes[graph.output]
    per_input = len(stack.arguments) // count
    pending = [(argument, row // per_input) for row, argument in enumerate(stack.arguments)]
    while pending:
        position, owner = pending.pop()
        if found[position] < 0:
            found[position] = owner
            pending.extend((argument, owner) for argument in graph.nodes[position].arguments)
    return [max(owner, 0) for owner in found]
