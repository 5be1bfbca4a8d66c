# SPDX-License-Identifier: MIT
"""
page.py SOURCE PROGRAM: a run of the benchmark with hardly any effort, and the page that is made of
it: one file that needs no other, well-formed, with all that was measured in it. Skipped where
there is no gnuplot.
"""

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, PROGRAM = sys.argv[1:3]
del sys.argv[1:]

WORKLOADS = "nop-b1,cached-random-d*,echo-unix-1,timer-*,cached-random-depth,echo-unix-connections"

# Elements that have no end.
VOID = {"meta", "link", "br", "hr", "img", "input"}
# What a browser fetches by itself.
FETCHED = {("link", "href"), ("use", "href"), ("image", "href")}


class Document(html.parser.HTMLParser):
    """Holds the page to its form while it is read, and keeps what the tests ask for."""

    def __init__(self, test):
        super().__init__()
        self.test = test
        self.open = []
        self.ids = []
        self.references = []
        self.elements = []
        self.row_heads = []
        self.fetched = []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        self.test.assertEqual(len(names), len(set(names)), f"attributes twice: {tag} {names}")
        values = dict(attrs)
        self.elements.append((tag, values))
        if tag == "th":
            self.row_heads.append("" if values.get("scope") == "row" else "column: ")
        if "id" in values:
            self.ids.append(values["id"])
        for name, value in attrs:
            self.test.assertFalse(name.startswith("on"), f"a handler: {name}")
            if name in ("src", "srcset", "data", "poster") or (tag, name) in FETCHED:
                self.fetched.append(value)
            if name in ("aria-labelledby", "aria-describedby"):
                self.references += value.split()
            if name == "href" and value.startswith("#"):
                self.references.append(value[1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        self.test.assertTrue(self.open, f"</{tag}> without a beginning, {self.getpos()}")
        self.test.assertEqual(self.open.pop(), tag, f"at {self.getpos()}")

    def handle_data(self, data):
        if self.open[-1:] == ["th"] and self.row_heads:
            self.row_heads[-1] += data
        if self.open and self.open[-1] == "style":
            self.test.assertNotIn("@import", data)
            self.test.assertNotIn("url(", data)

    def count(self, tag, **attributes):
        return sum(name == tag and attributes.items() <= values.items()
                   for name, values in self.elements)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("gnuplot"):
            print("skipped: there is no gnuplot here")
            sys.exit(77)
        directory = tempfile.TemporaryDirectory(dir=os.getcwd())
        cls.addClassCleanup(directory.cleanup)
        cls.directory = directory.name
        cls.result = cls.run_benchmark()

    @classmethod
    def run_benchmark(cls):
        path = os.path.join(cls.directory, "result.json")
        subprocess.run([PROGRAM, "--quick", "--rounds=2", "--seconds=0.01", f"-w{WORKLOADS}",
                        f"--dir={cls.directory}", f"--json={path}"],
                       stdout=subprocess.DEVNULL, check=True, timeout=120)
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def make(self, result):
        source = os.path.join(self.directory, "made.json")
        target = os.path.join(self.directory, "made.html")
        with open(source, "w", encoding="utf-8") as file:
            json.dump(result, file)
        done = subprocess.run([os.path.join(SOURCE, "bench", "page"), source, target],
                              capture_output=True, encoding="utf-8", check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        with open(target, encoding="utf-8") as file:
            return file.read()

    def read(self, page):
        document = Document(self)
        document.feed(page)
        document.close()
        self.assertEqual(document.open, [])
        return document

    def copy(self):
        return json.loads(json.dumps(self.result))

    def workload(self, result, name):
        return next(one for one in result["workloads"] if one["name"] == name)

    def test_the_run_has_what_the_page_is_to_show(self):
        self.assertEqual({one["name"] for one in self.result["workloads"]},
                         {"nop-b1", "cached-random-d1", "cached-random-d32", "echo-unix-1",
                          "timer-cancel", "timer-fire"})
        for name in ("cached-random-d32", "echo-unix-1", "timer-fire"):
            for cell in self.workload(self.result, name)["results"]:
                latency = cell["latency"]
                self.assertGreater(latency["count"], 0)
                values = [latency[key] for key in ("p50", "p90", "p99", "p999", "max")]
                self.assertEqual(values, sorted(values))
        self.assertEqual([curve["name"] for curve in self.result["curves"]],
                         ["cached-random-depth", "echo-unix-connections"])
        for curve in self.result["curves"]:
            self.assertIn("asyncring", [series["engine"] for series in curve["series"]])
        depths = [point["x"] for point in self.result["curves"][0]["series"][0]["points"]]
        self.assertEqual(depths, [1, 2, 4, 8, 16, 32, 64, 128])

    def test_it_is_well_formed_and_alone(self):
        page = self.make(self.result)
        document = self.read(page)
        self.assertTrue(page.startswith("<!doctype html>"))
        self.assertEqual(len(document.ids), len(set(document.ids)), "an id twice")
        self.assertLessEqual(set(document.references), set(document.ids))
        for what in document.fetched:
            self.assertRegex(what, "^(data:|#)")
        self.assertNotIn("script", [tag for tag, _ in document.elements])
        self.assertFalse(re.search("https?:", page))
        self.assertNotIn("rgb(  ", page)

    def test_all_that_was_measured_is_there(self):
        page = self.make(self.result)
        document = self.read(page)
        for workload in self.result["workloads"]:
            rows = [head for head in document.row_heads if head == workload["name"]]
            self.assertGreaterEqual(len(rows), 2, workload["name"])
        drawn = document.count("svg", role="img")
        self.assertEqual(drawn, len(self.result["curves"]))
        for curve in self.result["curves"]:
            for series in curve["series"]:
                self.assertIn(f"<text>{series['engine']}</text>", page)
        for value in (self.result["machine"]["kernel"], self.result["machine"]["filesystem"]):
            self.assertIn(value, page)
        self.assertIn('href="made.json"', page)

    def set_rounds(self, cell, nanoseconds):
        one = cell["rounds"][0]
        cell["rounds"] = [{**one, "operations": 1000, "seconds": value * 1e-6,
                           "cpu_seconds": value * 1e-6} for value in nanoseconds]

    def set_ratio(self, result, name, engine, ratio, restless=1):
        """
        Ours to that of the engine, and of nobody else, on a machine that changes its speed; in some
        rounds it is another one.
        """
        workload = self.workload(result, name)
        ours = next(cell for cell in workload["results"] if cell["engine"] == "asyncring")
        other = next(cell for cell in workload["results"] if cell["engine"] != "asyncring")
        other["engine"] = engine
        workload["results"] = [ours, other]
        speeds = (1000, 3000, 500, 2000, 700)
        noise = (1, 1 / restless, restless, 1 / restless, restless)
        self.set_rounds(ours, [ratio * speed * much for speed, much in zip(speeds, noise)])
        self.set_rounds(other, speeds)

    def test_figures_come_of_the_result(self):
        result = self.copy()
        result["workloads"] = [self.workload(result, "nop-b1"),
                               self.workload(result, "cached-random-d32")]
        self.set_ratio(result, "nop-b1", "io_uring", 0.5, restless=1.2)
        self.set_ratio(result, "cached-random-d32", "libaio", 1.25)
        page = self.make(result)
        self.assertRegex(page, r'class="best less"[^>]*>0\.50<span class="tilde">~<')
        self.assertRegex(page, r'class="best more"[^>]*>1\.25</td>')
        self.assertIn(">1 ahead<", page)
        self.assertIn(">1 behind<", page)
        # 1.25, where 1.00 of the best and 0.80 of libaio are to be reached.
        self.assertEqual(page.count('<td>1.25</td><td class="text missed">'), 2)
        self.set_ratio(result, "cached-random-d32", "libaio", 0.8)
        page = self.make(result)
        self.assertEqual(page.count('<td>0.80</td><td class="text reached">'), 2)
        self.assertIn(">2 ahead<", page)
        self.assertNotIn(" behind<", page)

    def test_the_best_of_the_others_counts(self):
        result = self.copy()
        workload = self.workload(result, "cached-random-d1")
        self.set_ratio(result, "cached-random-d1", "io_uring", 1.5)
        slower = json.loads(json.dumps(workload["results"][1]))
        slower["engine"] = "sync"
        self.set_rounds(slower, [3 * value for value in (1000, 3000, 500, 2000, 700)])
        workload["results"].append(slower)
        floor = json.loads(json.dumps(slower))
        floor["engine"] = "floor"
        self.set_rounds(floor, [0.75 * value for value in (1000, 3000, 500, 2000, 700)])
        workload["results"].append(floor)
        result["workloads"] = [workload]
        page = self.make(result)
        self.assertEqual(len(re.findall('class="best more"[^>]*>1.50<', page)), 2)
        self.assertEqual(len(re.findall('class="less"[^>]*>0.50<', page)), 2)
        self.assertEqual(page.count('<td class="floor">2.00</td>'), 2)
        self.assertIn(">1 behind<", page)

    def test_whatever_has_the_shape_is_shown(self):
        result = self.copy()
        result["facts"] = [{"name": "request-memory", "title": "memory per request <&>",
                            "unit": "bytes", "value": 300, "rounds": [300], "limit": 256,
                            "peer_values": {"io_uring": 400.5}}]
        result["tables"] = [{"name": "other", "title": "Another", "columns": ["what", "much"],
                             "rows": [["this", 1234567], ["that", "<none>"]]}]
        points = [{"x": x, "y": 10 * x, "rounds": [9 * x, 11 * x]} for x in (0, 5, 10)]
        result["curves"] = [
            {"name": "new one", "title": "New & 'quoted'", "x_label": "it's x", "y_label": "y",
             "x_log": True, "y_log": False, "note": "a note",
             "series": [{"engine": "whoever", "points": points},
                        {"engine": "empty", "points": []}]},
            {"name": "absent", "title": "Absent", "x_label": "x", "y_label": "y", "x_log": False,
             "y_log": False, "absent": "no <such> thing", "series": []}]
        page = self.make(result)
        document = self.read(page)
        self.assertEqual(document.count("svg", role="img"), 1)
        for what in ("memory per request &lt;&amp;&gt;", "<td>400.5</td>", "1,234,567",
                     "&lt;none&gt;", "New &amp; &#x27;quoted&#x27;", "it's x", "a note",
                     "no &lt;such&gt; thing", "<text>whoever</text>"):
            self.assertIn(what, page)
        self.assertIn('<td>256</td><td>300</td><td class="text missed">', page)

    def test_there_may_be_curves_alone(self):
        result = self.copy()
        result["workloads"] = []
        document = self.read(self.make(result))
        self.assertEqual(document.count("svg", role="img"), len(result["curves"]))
        self.assertEqual(document.count("section", id="ratios"), 0)

    def test_what_failed_or_is_absent_is_named(self):
        result = self.copy()
        self.workload(result, "echo-unix-1")["results"] = [
            {"engine": "asyncring", "failed": "hung: <killed>"}]
        result["workloads"].append({"name": "gone", "title": "gone", "depth": 1, "bytes": 0,
                                    "absent": "no tmpfs", "results": []})
        result["engines"].append({"name": "other", "absent": "not built"})
        page = self.make(result)
        self.read(page)
        self.assertIn("echo-unix-1 over asyncring failed: hung: &lt;killed&gt;", page)
        self.assertIn("gone: no tmpfs", page)
        self.assertIn("other: not built", page)

    def test_bad_input_is_named(self):
        path = os.path.join(self.directory, "bad.json")
        for content, words in (("{", "not JSON"), ("{}", "no result"),
                               ('{"format": 1, "workloads": []}', "is missing")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            done = subprocess.run([os.path.join(SOURCE, "bench", "page"), path, path + ".html"],
                                  capture_output=True, encoding="utf-8", check=False, timeout=60)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            self.assertFalse(os.path.exists(path + ".html"))


if __name__ == "__main__":
    unittest.main()
