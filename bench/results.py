# SPDX-License-Identifier: MIT
"""What asyncring-bench --json has written: read, checked, and asked for figures."""

import json
import statistics
import sys

OURS = "asyncring"
# The system calls ours makes, with nothing around them. No peer.
FLOOR = "floor"
FORMAT = 1

# Rounds that lie further apart than this, relative to their median, disagree.
NOISY = 0.3

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


def median(cell, figure):
    return cell[figure]["median_ns"]


def noisy(cell, figure):
    return cell[figure]["spread"] > NOISY


def rounds(cell, figure):
    """Nanoseconds per operation in each round; figure is "time" or "cpu"."""
    key = {"time": "seconds", "cpu": "cpu_seconds"}[figure]
    return [1e9 * one[key] / one["operations"] for one in cell["rounds"]]


def best_peer(workload, figure):
    """Its name, or None where no other has figures."""
    return min(peers(workload), key=lambda name: median(peers(workload)[name], figure), default=None)


def ratio(workload, figure, other):
    """Ours to that one's; None where one of them has no figures, or none that can be divided by."""
    ours, theirs = cells(workload).get(OURS), cells(workload).get(other)
    if not ours or not theirs or median(theirs, figure) <= 0:
        return None
    return median(ours, figure) / median(theirs, figure)


def ratio_to_best(workload, figure):
    return ratio(workload, figure, best_peer(workload, figure))


def middle(values):
    return statistics.median(values)
