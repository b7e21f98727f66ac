"""In which order to settle things that depend on each other, and which of them go in a circle."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping


def ordered(needs: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The keys in an order in which each comes after what it needs; those in one circle are together.

    Tarjan's strongly connected components, without recursion, in time linear in keys and needs. Names that
    are no keys are passed over.
    """
    groups: list[list[str]] = []
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    height: dict[str, int] = {}
    waiting: list[str] = []
    in_group: set[str] = set()
    for first in needs:
        if first in index:
            continue
        way: list[tuple[str, Iterator[str]]] = []
        below: str | None = first
        while True:
            if below is not None:
                index[below] = lowest[below] = len(index)
                height[below] = len(waiting)
                waiting.append(below)
                way.append((below, iter(needs[below])))
            here, rest = way[-1]
            below = None
            for need in rest:
                if need not in needs or need in in_group:
                    continue
                if need not in index:
                    below = need
                    break
                lowest[here] = min(lowest[here], index[need])
            if below is not None:
                continue
            way.pop()
            if way:
                above = way[-1][0]
                lowest[above] = min(lowest[above], lowest[here])
            if lowest[here] == index[here]:
                groups.append(waiting[height[here] :])
                in_group.update(groups[-1])
                del waiting[height[here] :]
            if not way:
                break
    return groups


def circle(start: str, needs: Mapping[str, Collection[str]], within: Collection[str]) -> list[str]:
    """The shortest way from `start` back to itself over what it needs and `within` has, or nothing."""
    among = set(within)
    came_from: dict[str, str] = {}
    at = [start]
    while at:
        following: list[str] = []
        for here in at:
            for need in sorted(needs.get(here, ())):
                if need == start:
                    way = [start, here]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return way[::-1]
                if need in among and need not in came_from:
                    came_from[need] = here
                    following.append(need)
        at = following
    return []
