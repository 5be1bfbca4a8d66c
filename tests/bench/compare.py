# SPDX-License-Identifier: MIT
"""
compare.py SOURCE: bench/compare on results whose changes are known: what is said of them, and what
is said of files that are no results.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

COMPARE = os.path.join(sys.argv.pop(1), "bench", "compare")
del sys.argv[1:]

STILL = (1.00, 1.01, 0.99, 1.02, 0.98)
RESTLESS = (1.0, 1.5, 0.7, 1.3, 0.8)


def cell(engine, nanoseconds, rounds):
    values = sorted(nanoseconds * one for one in rounds)
    figure = {"median_ns": values[len(values) // 2],
              "spread": (values[-1] - values[0]) / values[len(values) // 2]}
    return {"engine": engine, "time": figure, "cpu": copy.deepcopy(figure),
            "rounds": [{"operations": 1000, "seconds": value * 1e-6, "cpu_seconds": value * 1e-6}
                       for value in values]}


def result(workloads, rounds=STILL):
    """Workload -> engine -> nanoseconds; a pair of these and the rounds where they are others."""
    def cells(engines):
        for engine, value in engines.items():
            pair = value if isinstance(value, tuple) else (value, rounds)
            yield cell(engine, *pair)

    return {
        "format": 1, "date": "2026-01-01T00:00:00Z", "rounds": len(rounds),
        "seconds_per_round": 0.25, "cpu_share_of_others": 0.01,
        "machine": {"kernel": "Linux", "processor": "one", "system_call_ns": 100.0},
        "engines": [{"name": name} for name in ("asyncring", "io_uring", "libaio", "sync")],
        "workloads": [{"name": name, "title": name, "results": list(cells(engines))}
                      for name, engines in workloads.items()],
    }


PEERS = {"io_uring": 1000, "libaio": 2000, "sync": 1500}


class Compare(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def write(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def run_compare(self, *arguments):
        return subprocess.run([COMPARE, *arguments], capture_output=True, encoding="utf-8",
                              check=False, timeout=60)

    def compared(self, before, after):
        """Figure -> workload -> the row's columns, by name; and the summary's lines."""
        done = self.run_compare(self.write("A.json", before), self.write("B.json", after))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        rows, figure, head = {}, None, None
        for line in done.stdout.splitlines():
            words = line.split()
            if "per operation, B / A" in line:
                figure = words[0]
                rows[figure], head = {}, None
            elif words and words[0] == "workload":
                head = words[1:]
            elif head and len(words) == len(head) + 1:
                rows[figure][words[0]] = dict(zip(head, words[1:]))
        return rows, [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]

    def ours(self, before, after, workload="reads"):
        rows, _ = self.compared(before, after)
        self.assertEqual(rows["Time"][workload]["asyncring"], rows["CPU"][workload]["asyncring"])
        return rows["Time"][workload]

    def test_the_same_is_no_change(self):
        before = result({"reads": {"asyncring": 900, **PEERS}})
        row = self.ours(before, before)
        self.assertEqual(row["asyncring"], "1.00")
        self.assertEqual(row["machine"], "1.00")

    def test_less_and_more_are_marked(self):
        before = result({"reads": {"asyncring": 900, **PEERS},
                         "writes": {"asyncring": 900, **PEERS}})
        after = result({"reads": {"asyncring": 450, **PEERS},
                        "writes": {"asyncring": 1350, **PEERS}})
        rows, summary = self.compared(before, after)
        self.assertEqual(rows["Time"]["reads"]["asyncring"], "0.50<")
        self.assertEqual(rows["Time"]["writes"]["asyncring"], "1.50>")
        self.assertEqual(rows["Time"]["writes"]["io_uring"], "1.00")
        self.assertIn("Time: less in reads", summary)
        self.assertIn("CPU: more in writes", summary)

    def test_a_slower_machine_is_no_change(self):
        before = result({"reads": {"asyncring": 900, **PEERS}})
        after = result({"reads": {"asyncring": 1800, **{e: 2 * t for e, t in PEERS.items()}}})
        row = self.ours(before, after)
        self.assertEqual(row["measured"], "2.00")
        self.assertEqual(row["machine"], "2.00")
        self.assertEqual(row["asyncring"], "1.00")

    def test_a_change_shows_through_a_slower_machine(self):
        before = result({"reads": {"asyncring": 900, **PEERS}})
        after = result({"reads": {"asyncring": 900, **{e: 2 * t for e, t in PEERS.items()}}})
        row = self.ours(before, after)
        self.assertEqual(row["measured"], "1.00")
        self.assertEqual(row["asyncring"], "0.50<")

    def test_rounds_that_disagree_prove_nothing(self):
        before = result({"reads": {"asyncring": (900, RESTLESS), **PEERS}})
        after = result({"reads": {"asyncring": (720, RESTLESS), **PEERS}})
        self.assertEqual(self.ours(before, after)["asyncring"], "0.80")

    def test_one_peer_that_moves_is_not_the_machine(self):
        before = result({"reads": {"asyncring": 900, **PEERS}})
        after = result({"reads": {"asyncring": 900, **PEERS, "libaio": 6000}})
        rows, _ = self.compared(before, after)
        self.assertEqual(rows["Time"]["reads"]["machine"], "1.00")
        self.assertEqual(rows["Time"]["reads"]["asyncring"], "1.00")
        self.assertEqual(rows["Time"]["reads"]["libaio"], "3.00>")

    def test_peers_that_do_not_agree_prove_nothing(self):
        before = result({"reads": {"asyncring": 900, **PEERS}})
        after = result({"reads": {"asyncring": 990, "io_uring": 800, "libaio": 2000,
                                  "sync": 2000}})
        self.assertEqual(self.ours(before, after)["asyncring"], "1.10")

    def test_with_a_single_peer_all_workloads_tell_of_the_machine(self):
        before = result({"reads": {"asyncring": 900, **PEERS},
                         "nops": {"asyncring": 50, "io_uring": 100}})
        twice = {e: 2 * t for e, t in PEERS.items()}
        after = result({"reads": {"asyncring": 1800, **twice},
                        "nops": {"asyncring": 50, "io_uring": 200}})
        self.assertEqual(self.ours(before, after, "nops")["asyncring"], "0.50?")

    def test_runs_under_other_loads_prove_nothing(self):
        before = result({"reads": {"asyncring": 900, **PEERS}})
        after = {**result({"reads": {"asyncring": 450, **PEERS}}), "cpu_share_of_others": 0.3}
        rows, summary = self.compared(before, after)
        self.assertEqual(rows["Time"]["reads"]["asyncring"], "0.50?")
        self.assertIn("Time: no telling, as the loads of the two runs differ", summary)

    def test_a_device_that_is_slower_is_no_change(self):
        twice = {e: 2 * t for e, t in PEERS.items()}
        before = result({"reads": {"asyncring": 900, **PEERS},
                         "cached": {"asyncring": 900, **PEERS},
                         "nops": {"asyncring": 900, **PEERS}})
        after = result({"reads": {"asyncring": 1800, **twice},
                        "cached": {"asyncring": 900, **PEERS},
                        "nops": {"asyncring": 900, **PEERS}})
        self.assertEqual(self.ours(before, after)["asyncring"], "1.00")

    def test_too_few_rounds(self):
        before = result({"reads": {"asyncring": 900, **PEERS}}, STILL[:3])
        after = result({"reads": {"asyncring": 450, **PEERS}}, STILL[:3])
        self.assertEqual(self.ours(before, after)["asyncring"], "0.50?")

    def test_many_rounds(self):
        before = result({"reads": {"asyncring": 900, **PEERS}}, STILL * 4)
        after = result({"reads": {"asyncring": 860, **PEERS}}, STILL * 4)
        self.assertEqual(self.ours(before, after)["asyncring"], "0.96<")

    def test_what_only_one_has_is_left_out(self):
        before = result({"reads": {"asyncring": 900, **PEERS}, "old": {"asyncring": 1}})
        after = result({"reads": {"asyncring": 900, "io_uring": 1000}, "new": {"asyncring": 1}})
        after["workloads"][0]["results"].append({"engine": "libaio", "failed": "hung"})
        rows, _ = self.compared(before, after)
        self.assertEqual(list(rows["Time"]), ["reads"])
        self.assertNotIn("libaio", rows["Time"]["reads"])

    def refused(self, words, *arguments):
        done = self.run_compare(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_bad_input_is_named(self):
        good = self.write("good.json", result({"reads": {"asyncring": 900, **PEERS}}))
        other = self.write("other.json", result({"writes": {"asyncring": 900, **PEERS}}))
        newer = self.write("newer.json", {**result({}), "format": 2})
        lacking = result({"reads": {"asyncring": 900, **PEERS}})
        del lacking["machine"]
        absent = os.path.join(self.directory, "absent.json")
        self.refused("absent.json: No such file", absent, good)
        self.refused("bad.json: not JSON", good, self.write("bad.json", "{"))
        self.refused("list.json: no result", good, self.write("list.json", "[]"))
        self.refused("newer.json: format 2", newer, good)
        self.refused("no workload in common", good, other)
        self.refused("'machine'", good, self.write("lacking.json", lacking))
        self.refused("usage:", good)

    def test_help(self):
        done = self.run_compare("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("A.json", done.stdout)


if __name__ == "__main__":
    unittest.main()
