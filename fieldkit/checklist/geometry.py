"""Places on the earth, as ODK writes them: "latitude longitude altitude accuracy", several parted by `;`.

The earth is a sphere of its girth at the equator; heights are left aside.
"""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

from fieldkit.checklist.value import NAN

RADIUS = 6_378_100
_MOST_POINTS = 100_000

Point = tuple[float, float]
"""Latitude and longitude, in radians."""


def places(text: str) -> list[Point] | None:
    """The places in a text, those that are missing passed over; None where one is none."""
    points: list[Point] = []
    for part in text.split(";", _MOST_POINTS):
        numbers = part.split()
        if not numbers:
            continue
        try:
            latitude, longitude = (float(number) for number in numbers[:2])
        except ValueError:
            return None
        if len(numbers) > 4 or not (abs(latitude) <= 90 and abs(longitude) <= 180):
            return None
        points.append((math.radians(latitude), math.radians(longitude)))
    return points


def area(shape: str) -> Decimal:
    """What a closed line of places is around, in square metres; NaN where one of them is none."""
    points = places(shape)
    if points is None:
        return NAN
    if len(points) < 3:
        return Decimal(0)
    excess = math.fsum(_excess(*two) for two in itertools.pairwise([*points, points[0]]))
    return _centimetres(abs(excess) * RADIUS**2)


def length(line: str) -> Decimal:
    """The way along places, in metres; NaN where one of them is none."""
    points = places(line)
    if points is None:
        return NAN
    return _centimetres(math.fsum(_between(*two) for two in itertools.pairwise(points)))


def contains_point(shape: str, place: str) -> bool:
    """Whether a place lies within a closed line of places."""
    points, at = places(shape), places(place)
    if not points or not at:
        return False
    latitude, longitude = at[0]
    inside = False
    for (top, left), (bottom, right) in zip(points, [*points[1:], points[0]], strict=True):
        if (left > longitude) is not (right > longitude):
            crossing = top + (longitude - left) / (right - left) * (bottom - top)
            inside ^= latitude < crossing
    return inside


def _between(here: Point, there: Point) -> float:
    rise = math.sin((there[0] - here[0]) / 2) ** 2
    run = math.cos(here[0]) * math.cos(there[0]) * math.sin((there[1] - here[1]) / 2) ** 2
    return 2 * RADIUS * math.asin(min(1.0, math.sqrt(rise + run)))


def _excess(here: Point, there: Point) -> float:
    """What lies between a line and the equator, on a sphere of radius 1."""
    width = math.remainder(there[1] - here[1], 2 * math.pi)
    one, other = math.tan(here[0] / 2), math.tan(there[0] / 2)
    return 2 * math.atan2(math.tan(width / 2) * (one + other), 1 + one * other)


def _centimetres(value: float) -> Decimal:
    return Decimal(f"{value:.2f}")
