# SPDX-License-Identifier: MIT
"""
ratios.py SOURCE PROGRAM: what bench/results.py makes of rounds, that the program says the same of
them, and that the floor is nobody's peer.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

SOURCE, PROGRAM = sys.argv[1:3]
del sys.argv[1:]
sys.path.insert(0, os.path.join(SOURCE, "bench"))

import results  # noqa: E402
import targets  # noqa: E402


def cell(engine, *nanoseconds):
    return {"engine": engine, "time": {}, "cpu": {},
            "rounds": [{"operations": 1000, "seconds": value * 1e-6, "cpu_seconds": value * 2e-6,
                        "threads_idle": 0}
                       for value in nanoseconds]}


def workload(*cells, name="cached-random-d32"):
    return {"name": name, "results": list(cells)}


class Definition(unittest.TestCase):
    """The same cases as in test_stats.c."""

    def expect(self, ours, theirs, ratio, spread):
        row = workload(cell("asyncring", *ours), cell("sync", *theirs))
        for figure in ("time", "cpu"):
            self.assertAlmostEqual(results.ratio(row, figure, "sync"), ratio)
            self.assertAlmostEqual(results.spread(results.ratios(row, figure, "sync")), spread)
            self.assertAlmostEqual(results.ratio_to_best(row, figure), ratio)

    def test_a_machine_that_changes_speed(self):
        self.expect((50, 100, 25, 400, 50), (100, 200, 50, 800, 100), 0.5, 0)

    def test_it_is_not_the_ratio_of_medians(self):
        self.expect((100, 220, 330), (200, 100, 440), 0.75, (2.2 - 0.5) / 0.75)

    def test_an_even_number_of_rounds(self):
        self.expect((10, 30), (10, 10), 2, 1)

    def test_a_quarter_at_each_end_does_not_count(self):
        self.expect((900, 90, 100, 110, 1), (100,) * 5, 1, 0.2)

    def test_what_cannot_be_divided_by_is_left_out(self):
        self.expect((10, 20, 30), (0, 10, 10), 2.5, 0.4)
        row = workload(cell("asyncring", 10, 20), cell("sync", 0, 0))
        self.assertIsNone(results.ratio(row, "time", "sync"))
        self.assertIsNone(results.ratio(row, "time", "libaio"))
        self.assertIsNone(results.ratio_to_best(workload(cell("asyncring", 1)), "time"))

    def test_the_best_peer_is_that_of_the_largest_ratio(self):
        """Its median need not be the least: libaio's is 20, sync's 30."""
        row = workload(cell("asyncring", 10, 33, 33), cell("libaio", 20, 40, 16),
                       cell("sync", 5, 30, 31), cell("floor", 1, 1, 1))
        for figure in ("time", "cpu"):
            self.assertEqual(results.best_peer(row, figure), "sync")
            self.assertAlmostEqual(results.ratio_to_best(row, figure), 1.1)
            self.assertLess(results.ratio(row, figure, "libaio"), 1)

    def test_without_ours_it_is_that_of_the_least_median(self):
        row = workload(cell("sync", 5, 30, 31), cell("libaio", 20, 20, 20))
        self.assertEqual(results.best_peer(row, "time"), "libaio")
        self.assertIsNone(results.ratio_to_best(row, "time"))


class Noise(unittest.TestCase):
    def standing(self, *ours):
        row = workload(cell("asyncring", *ours), cell("sync", *[100] * len(ours)),
                       name="tmpfs-read-d32")
        ratios, _ = targets.standings({"workloads": [row]})
        return row, next(one for one in ratios if one.measured)

    def test_a_limit_within_it_is_neither_reached_nor_missed(self):
        row, standing = self.standing(80, 85, 99, 120, 130)
        self.assertTrue(standing.noisy and standing.unsure)
        self.assertFalse(standing.reached or standing.missed)
        self.assertTrue(results.straddles(row, "time", "sync", 0.95))
        self.assertFalse(results.straddles(row, "time", "sync", 0.84))

    def test_beside_it_they_are(self):
        _, standing = self.standing(50, 60, 70, 80, 90)
        self.assertTrue(standing.noisy and standing.reached)
        _, standing = self.standing(110, 120, 130, 150, 190)
        self.assertTrue(standing.noisy and standing.missed)

    def test_without_it_they_are(self):
        _, standing = self.standing(97, 98, 99, 101, 102)
        self.assertTrue(standing.reached and not standing.noisy)


class Floor(unittest.TestCase):
    def test_it_is_no_peer(self):
        row = workload(cell("asyncring", 120), cell("sync", 100), cell("floor", 80))
        self.assertEqual(results.best_peer(row, "time"), "sync")
        self.assertAlmostEqual(results.ratio_to_best(row, "time"), 1.2)
        self.assertAlmostEqual(results.ratio(row, "time", "floor"), 1.5)
        self.assertNotIn("floor", results.peers(row))

    def test_it_is_in_no_figure_to_reach(self):
        row = workload(cell("asyncring", 120), cell("libaio", 100), cell("floor", 80))
        ratios, _ = targets.standings({"workloads": [row]})
        self.assertEqual([one.value for one in ratios if one.measured], [1.2, 1.2])
        row = workload(cell("asyncring", 120), cell("floor", 80))
        ratios, singles = targets.standings({"workloads": [row]})
        self.assertFalse(any(one.measured or one.reached or one.missed for one in ratios))
        self.assertFalse(singles[0].measured)


class Program(unittest.TestCase):
    """What it computes of the rounds that it writes."""

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory(dir=os.getcwd()) as directory:
            path = os.path.join(directory, "result.json")
            done = subprocess.run(
                [PROGRAM, "--quick", "--rounds=5", "--seconds=0.01", "--latency-rounds=0",
                 "--curve-rounds=0", "-wnop-b32,cached-random-d*", f"--dir={directory}",
                 f"--json={path}"], stdout=subprocess.PIPE, encoding="utf-8", check=True,
                timeout=120)
            cls.result = results.load(path)
            cls.tables = done.stdout

    def test_ratios_and_spreads(self):
        compared = 0
        for row in self.result["workloads"]:
            there = results.cells(row)
            self.assertEqual("floor" in there, row["name"] != "nop-b32")
            for figure in ("time", "cpu"):
                best = results.best_peer(row, figure)
                self.assertNotIn(best, ("floor", "asyncring"))
                for one in there.values():
                    values = results.paired(one, there[best], figure) if best else []
                    if not values:
                        continue
                    told = one[figure]
                    for mine, its in ((results.middle(values), told["ratio"]),
                                      (results.spread(values), told["ratio_spread"]),
                                      (results.median(one, figure), told["median_ns"])):
                        self.assertAlmostEqual(its, mine, delta=0.001 * (mine + 1))
                    compared += 1
        self.assertGreater(compared, 0)

    def test_the_table_shows_them(self):
        for row in self.result["workloads"]:
            if not results.best_peer(row, "time"):
                continue
            line = next(line for line in self.tables.splitlines()
                        if line.startswith(f"| {row['name']} "))
            ours = float(line.split("|")[3].strip().rstrip("~"))
            self.assertAlmostEqual(ours, results.ratio_to_best(row, "time"),
                                   delta=0.006 if ours < 10 else 0.06)


if __name__ == "__main__":
    unittest.main()
