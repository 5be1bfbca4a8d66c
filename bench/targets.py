# SPDX-License-Identifier: MIT
"""
The figures that the library is to reach, and where it stands by a result. A target is a ratio of
time or CPU, ours to that of one or several engines, or a single figure.
"""

import results

BEST = "the best"
FIGURES = {"time": "time", "cpu": "CPU"}


class Target:
    """
    Ours, divided by the best of the engines named against (BEST: of all peers), at most limit: in
    each of the workloads.
    """

    def __init__(self, workloads, limit, against=BEST, figure="time"):
        self.workloads = workloads.split()
        self.limit = limit
        self.against = against
        self.figure = figure

    def peer(self, workload):
        """The one to which our ratio is the largest, or None."""
        if self.against == BEST:
            return results.best_peer(workload, self.figure)
        there = [peer for peer in self.against.split()
                 if results.ratio(workload, self.figure, peer) is not None]
        return max(there, key=lambda peer: results.ratio(workload, self.figure, peer), default=None)

    def standing(self, name, workload):
        """Of the workload of this name, which is None where the result has no such row."""
        what = f"{FIGURES[self.figure]}, to {self.of_best()}"
        peer = self.peer(workload) if workload else None
        value = results.ratio(workload, self.figure, peer) if peer else None
        if value is None:
            return Standing(name, what, self.limit, None)
        # As it is shown, and as the figures to reach are given: in hundredths.
        return Standing(name, what, self.limit, round(value, 2),
                        results.noisy(workload, self.figure, peer),
                        results.straddles(workload, self.figure, peer, self.limit))

    def of_best(self):
        return self.against if self.against == BEST else self.against.replace(" ", ", ")


TARGETS = [
    Target("nop-b32", 0.2, "io_uring"),
    Target("cached-random-d32 cached-random-d1", 1.0),
    Target("cached-random-d32 cached-random-d1", 0.8, "libaio"),
    Target("cached-sequential-d32", 0.75),
    Target("write-sequential-d32", 0.5),
    Target("cold-random-d32", 1.05, "io_uring"),
    Target("cold-random-d32", 0.2, "libaio"),
    Target("direct-random-d32 direct-random-d128", 1.05),
    Target("direct-random-d32 direct-random-d128", 1.3, figure="cpu"),
    Target("cold-random-d1", 1.05, "sync"),
    Target("tmpfs-read-d32 tmpfs-write-d32", 1.0),
    Target("echo-unix-1 echo-unix-64 echo-unix-1000 echo-unix-10000", 1.05, "epoll"),
    Target("echo-tcp-1 echo-tcp-64 echo-tcp-1000 echo-tcp-10000", 1.05, "epoll"),
    Target("cached-random-d1", 0.1, "libuv posix-aio"),
    Target("pool-read-d32", 0.1, "posix-aio"),
    Target("pool-read-d32", 0.1, "libuv"),
]


class Standing:
    """
    A target's figure in one workload, or a single figure; None where it was not measured. It is
    unsure where the limit lies within the noise.
    """

    def __init__(self, workload, what, limit, value, noisy=False, unsure=False):
        self.workload = workload
        self.what = what
        self.limit = limit
        self.value = value
        self.noisy = noisy
        self.unsure = unsure

    @property
    def measured(self):
        return self.value is not None

    @property
    def reached(self):
        return self.measured and not self.unsure and self.value <= self.limit

    @property
    def missed(self):
        return self.measured and not self.unsure and self.value > self.limit


def ratios(result):
    by_name = {workload["name"]: workload for workload in result["workloads"]}
    for target in TARGETS:
        for name in target.workloads:
            yield target.standing(name, by_name.get(name))


def most(result, of_cell, wanted=lambda workload: True):
    """The workload in which this is most for us, and how much."""
    values = [(of_cell(cell), workload["name"]) for workload in result["workloads"]
              for name, cell in results.cells(workload).items()
              if name == results.OURS and wanted(workload)]
    return max((pair for pair in values if pair[0] is not None), default=None)


def single_figures(result):
    # Timers are armed once: there is nothing steady about them.
    allocations = most(result, lambda cell: cell.get("allocations_per_operation"),
                       lambda workload: not workload["name"].startswith("timer-"))
    value, name = allocations or (None, "–")
    yield Standing(name, "heap allocations per operation, the most of all rows but timers", 0,
                   None if value is None else round(value, 4))
    threads = most(result, lambda cell: max(one["threads_idle"] for one in cell["rounds"]),
                   lambda workload: workload["name"].startswith("cached-") and
                   "sqpoll" not in workload["name"])
    value, name = threads or (None, "cached-*")
    yield Standing(name, "threads of a ring with only cached reads", 0, value)
    for fact in result.get("facts", []):
        if "limit" in fact:
            what = ", ".join(filter(None, [fact["title"], fact["unit"]]))
            yield Standing(fact["name"], what, fact["limit"], value_of(fact))


def value_of(fact):
    """None where it was not measured."""
    return fact.get("value") if fact["rounds"] else None


def standings(result):
    """What the result tells of each."""
    return list(ratios(result)), list(single_figures(result))
