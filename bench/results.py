# SPDX-License-Identifier: MIT
"""What asyncring-bench --json has written: read, checked, and asked for figures."""

import json
import statistics
import sys

OURS = "asyncring"
# The system calls ours makes, with nothing around them. No peer.
FLOOR = "floor"
FORMAT = 1

# A ratio the middle half of whose rounds lies further apart than this, relative to it, is marked.
NOISY = 0.15

# A ratio this close to 1 is level.
LEVEL = 0.05


class BadResult(Exception):
    """The file is not what asyncring-bench writes."""


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
    except OSError as error:
        raise BadResult(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BadResult(f"{path}: not JSON: {error}") from error
    if not isinstance(result, dict) or not isinstance(result.get("workloads"), list):
        raise BadResult(f"{path}: no result of asyncring-bench")
    if result.get("format") != FORMAT:
        raise BadResult(f"{path}: format {result.get('format')}, and this reads {FORMAT}")
    return result


def open_or_exit(path, program):
    try:
        return load(path)
    except BadResult as error:
        sys.exit(f"{program}: {error}")


def cells(workload):
    """Engine -> result, of those that have figures."""
    return {cell["engine"]: cell for cell in workload["results"] if "time" in cell}


def peers(workload):
    return {name: cell for name, cell in cells(workload).items() if name not in (OURS, FLOOR)}


def rounds(cell, figure):
    """Nanoseconds per operation in each round; figure is "time" or "cpu"."""
    key = {"time": "seconds", "cpu": "cpu_seconds"}[figure]
    return [1e9 * one[key] / one["operations"] for one in cell["rounds"]]


def paired(one, other, figure):
    """One's by the other's of each round, in which both had the machine as it was then (stats.h)."""
    return [ours / theirs for ours, theirs in zip(rounds(one, figure), rounds(other, figure))
            if theirs > 0]


def middle(values):
    return statistics.median(values)


def spread(values):
    """How far they are apart, relative to their median, without a quarter of them at each end."""
    ordered = sorted(values)
    end = len(ordered) // 4
    return (ordered[-1 - end] - ordered[end]) / middle(ordered) if middle(ordered) > 0 else 0


def median(cell, figure):
    return middle(rounds(cell, figure))


def best_peer(workload, figure):
    """
    The name of that to which our ratio is the largest, so that who is ahead of it is ahead of all;
    where ours has no figures, of that with the least median. None where no peer has figures.
    """
    there = peers(workload)
    if OURS in cells(workload):
        return max(there, key=lambda name: ratio(workload, figure, name) or 0, default=None)
    return min(there, key=lambda name: median(there[name], figure), default=None)


def ratios(workload, figure, other):
    """Ours to that one's, round by round; none where one of them has no figures."""
    there = cells(workload)
    if OURS not in there or other not in there:
        return []
    return paired(there[OURS], there[other], figure)


def ratio(workload, figure, other):
    """The median of these, or None."""
    values = ratios(workload, figure, other)
    return middle(values) if values else None


def noisy(workload, figure, other):
    return spread(ratios(workload, figure, other)) > NOISY


def straddles(workload, figure, other, limit):
    """Whether it is noisy, and the middle half of its rounds has the limit in it: nobody knows."""
    ordered = sorted(ratios(workload, figure, other))
    end = len(ordered) // 4
    return noisy(workload, figure, other) and ordered[end] <= limit < ordered[-1 - end]


def ratio_to_best(workload, figure):
    """The largest of our ratios to the peers, or None."""
    return ratio(workload, figure, best_peer(workload, figure))
