#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of a sweep: `quire sweep --html` and `--svg`, as files and as a browser shows them."""

import json
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as ET

import browser
import test_picture
from program import QUIRE, run
from test_picture import SVG, Page, grouped
from traces import REDIS, balanced, write_state

FIGURES = ("huge", "others", "time")
SECTIONS = {*FIGURES, "numbers", "limits", "settings"}
MEASURES = ("huge", "least", "free", "cached", "hits", "locks", "fallbacks", "slowpath", "unplaced")
TUNABLE, VALUES = "percpu_pagelist_high_fraction", (8, 16, 64)
SWEPT = ("--set", f"{TUNABLE}=" + ",".join(map(str, VALUES)))


class Swept(test_picture.PictureTest):
    """The picture of a sweep over the bundled trace with both engines, made once."""

    @classmethod
    def setUpClass(cls):
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="quire-sweep-"))
        cls.addClassCleanup(shutil.rmtree, cls.place, True)
        cls.file = cls.place / "swept.html"
        made = run("sweep", "--quiet", "--json", "--engine", "list", "--engine", "bitmap", *SWEPT, "--html", cls.file, REDIS)
        assert made.returncode == 0, made.stderr
        cls.report = json.loads(made.stdout)
        cls.source = cls.file.read_text(encoding="utf-8")
        cls.made = Page(cls.source)

    def test_page_is_whole_and_needs_nothing(self):
        self.assertEqual(self.made.wrong, [])
        self.assertEqual({attrs["id"] for tag, attrs in self.made.elements if tag == "section"}, SECTIONS)
        ids = [attrs["id"] for _, attrs in self.made.elements if "id" in attrs]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual([a["href"] for _, a in self.made.elements if a.get("href", "").startswith("#") and a["href"][1:] not in ids], [])
        self.assertNotIn("{{", self.source)
        self.assertLess(len(self.source), 1 << 20)
        source = self.source.replace('"http://www.w3.org/2000/svg"', "")  # a name, not an address
        self.assertEqual(re.findall(r"(?i)\b(?:https?|ftp|wss?):.{20}|url\(|@import|@font-face", source), [])

    def test_page_tells_what_the_rows_tell(self):
        for row in self.report["rows"]:
            name = "as recorded" if row["value"] is None else str(row["value"])
            cells = f"{name} {grouped(row['free_2m'])} {grouped(row['least_free_2m'])} "
            self.assertIn(cells, self.made.text)
            self.assertIn(f"{row['pcp_hit_rate'] * 100:.1f} % {grouped(row['zone_locks'])} {grouped(row['fallbacks'])} {row['slowpath']} ", self.made.text)
        self.assertIn(f"the machine had {grouped(self.report['machine']['free_2m'])} free 2 MiB blocks", self.made.text)
        self.assertIn(TUNABLE, self.made.text)

    def test_answer_names_the_extremes(self):
        rows = [row for row in self.report["rows"] if row["engine"] == "list" and row["value"]]
        low, high = (choose(rows, key=lambda row: row["free_2m"]) for choose in (min, max))
        self.assertLess(low["free_2m"], high["free_2m"])
        self.assertIn(f"between {grouped(low['free_2m'])} ({low['value']}) and {grouped(high['free_2m'])} ({high['value']})", self.made.text)

    def test_data_of_curves(self):
        sweep = self.made.data["sweep"]
        self.assertEqual((sweep["name"], sweep["values"]), (TUNABLE, list(VALUES)))
        for drawn in sweep["runs"]:
            rows = [row for row in self.report["rows"] if row["engine"] == drawn["label"] and row["value"]]
            self.assertEqual(set(MEASURES), set(drawn["text"]))
            self.assertEqual(drawn["huge"], [row["free_2m"] for row in rows])
            self.assertEqual(drawn["least"], [row["least_free_2m"] for row in rows])
            self.assertEqual(drawn["free"], [row["free_pages"] * 4096 for row in rows])
            self.assertEqual(drawn["unplaced"], [row["unplaced"] for row in rows])
            self.assertEqual(drawn["text"]["locks"], [grouped(row["zone_locks"]) for row in rows])
        self.assertEqual([run["label"] for run in sweep["runs"]], ["list", "bitmap"])
        self.assertNotIn("map", self.made.data)

    def test_course_over_time(self):
        labels = [run["label"] for run in self.made.data["runs"]]
        self.assertEqual(labels, [f"{engine}, {value}" for engine in ("list", "bitmap") for value in ("as recorded", *VALUES)])
        ends = [run["huge"][-1] for run in self.made.data["runs"]]
        self.assertEqual(ends, [row["free_2m"] for row in self.report["rows"]])

    def test_every_figure_alone(self):
        for name in FIGURES:
            self.good("sweep", "--quiet", *SWEPT, "--svg", self.svg, "--figure", name, REDIS)
            tree = ET.parse(self.svg).getroot()
            self.assertEqual({e.tag for e in tree.iter()} - {SVG + t for t in "svg title style g path rect text".split()}, set())
            self.assertNotIn("var(", tree.find(SVG + "style").text)
            self.assertGreater(len(list(tree.iter(SVG + "path"))), 10, name)
            texts = [text.text for text in tree.iter(SVG + "text")]
            self.assertIn("the machine itself", texts)
            self.assertEqual(TUNABLE in texts, name != "time")

    def test_points_stand_where_their_values_are(self):
        self.good("sweep", "--quiet", *SWEPT, "--svg", self.svg, REDIS)
        tree = ET.parse(self.svg).getroot()
        points = [tuple(map(float, re.findall(r"[\d.]+", path.get("d"))[:2])) for path in tree.iter(SVG + "path") if path.get("class") == "p0"]
        values = [row["free_2m"] for row in self.report["rows"] if row["engine"] == "list" and row["value"]]
        self.assertEqual(len(points), len(values))
        self.assertAlmostEqual(points[1][0] - points[0][0], points[2][0] - points[1][0], delta=0.2)
        for (_, y), value in zip(points, values):  # up by as much as it is more
            share = (points[0][1] - y) / (points[0][1] - points[-1][1])
            self.assertAlmostEqual(share, (value - values[0]) / (values[-1] - values[0]), delta=0.02)


class Others(test_picture.PictureTest):
    def sweep(self, *args):
        self.good("sweep", "--quiet", "--html", self.html, *args, self.path)
        return Page(self.html.read_text(encoding="utf-8"))

    def test_one_value_and_many(self):
        self.machine(balanced())
        for values in ("7..7", "1..250:1"):
            page = self.sweep("--set", f"watermark_scale_factor={values}")
            self.assertEqual(page.wrong, [])
            first, last = values.split(":")[0].split("..")
            labels = [run["label"] for run in page.data["runs"]]
            self.assertEqual((labels[0], labels[1], labels[-1], len(labels)), ("as recorded", first, last, 2 if first == last else 8))
            self.assertIn("with every value", page.text)

    def test_nothing_to_compare_with(self):
        state = self.directory / "state"
        state.mkdir()
        write_state(state, **{f"{name}_after": None for name in ("zoneinfo", "buddyinfo", "pagetypeinfo", "iomem", "kpageflags")})
        self.importing(balanced(), "--state", state)
        page = self.sweep("--set", "watermark_scale_factor=10,100")
        self.assertIn("nothing to compare with", page.text)
        self.assertNotIn("the machine had", page.text)

    def test_where_nothing_can_be_written(self):
        self.machine(balanced())
        precious = self.path.read_bytes()
        self.bad(4, "cannot be created", "sweep", *SWEPT, "--html", self.directory / "no" / "where", self.path)
        self.bad(4, "is no such picture", "sweep", *SWEPT, "--html", self.path, self.path)
        self.assertEqual(self.path.read_bytes(), precious)
        self.bad(2, "huge, others, time", "sweep", *SWEPT, "--svg", self.svg, "--figure", "map", self.path)
        self.bad(2, "there is no --svg", "sweep", *SWEPT, "--figure", "time", self.path)
        result = subprocess.run(
            [QUIRE, "sweep", "--quiet", *SWEPT, "--html", self.html, self.path],
            capture_output=True,
            restore_signals=False,  # the limit below must not kill
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
        )
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn(b"cannot write", result.stderr)
        self.assertEqual(self.left(), [self.path.name])

    def test_interrupted_or_bad_leaves_the_old_picture(self):
        self.html.write_text("<!doctype html>old")
        values = ",".join(str(1 + i) for i in range(250))
        child = subprocess.Popen(
            [QUIRE, "sweep", "--quiet", "--set", f"watermark_scale_factor={values}", "--html", self.html, REDIS],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(2)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(50), 130)
        self.path.write_bytes(b"no trace at all, but long enough to be looked at")
        self.bad(3, "not a .qtrace", "sweep", *SWEPT, "--html", self.html, self.path)
        self.assertEqual((self.left(), self.html.read_text()), ([self.html.name, self.path.name], "<!doctype html>old"))

    def test_terminal_says_where_it_is(self):
        self.machine(balanced())
        out = self.good("sweep", "--quiet", *SWEPT, "--html", self.html, "--svg", self.svg, self.path)
        self.assertIn(f"The picture of it: {self.html}", out)
        self.assertIn(f"The figure of it: {self.svg}", out)


@unittest.skipUnless(browser.PRESENT, browser.WHY_NOT)
class InBrowser(Swept):
    """Only what a browser can tell: the tests of the page itself are in its parent."""

    for _name in [name for name in dir(Swept) if name.startswith("test_")]:
        locals()[_name] = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser().__enter__()
        cls.addClassCleanup(cls.browser.__exit__)
        cls.browser.blank()

    def shown(self, width=1280, height=900, dark=False, **how):
        """The page; it has nothing to complain of and asks for nothing."""
        self.browser.screen(width, height, dark, **how)
        self.browser.open(self.file)
        self.assertTrue(self.browser.wait("return document.documentElement.dataset.script"))
        self.assertEqual(self.browser.logged(), [])
        self.assertEqual(set(self.browser.requested()), {self.file.resolve().as_uri()})
        return self.browser

    def tip(self):
        return self.browser.run("const t = document.getElementById('tip'); return t.hidden ? '' : t.innerText.replace(/\\u00a0/g, ' ')")

    def test_looks_and_fits_everywhere(self):
        for width, height, mobile in ((1600, 1000, False), (1280, 900, False), (768, 1024, False), (390, 844, True), (320, 640, True)):
            for dark in (False, True):
                b = self.shown(width, height, dark, mobile=mobile)
                self.assertLessEqual(b.run("return document.documentElement.scrollWidth"), width, (width, dark))
                shown = b.run("return [...document.querySelectorAll('svg.figure')].filter((e) => e.clientWidth).map((e) => e.getAttribute('class'))")
                self.assertEqual(shown, ["figure narrow" if width <= 700 else "figure wide"] * len(FIGURES))
                light = sum(map(int, re.findall(r"\d+", b.run("return getComputedStyle(document.body).backgroundColor"))[:3]))
                self.assertEqual(light < 200, dark, (width, dark))
                self.assertGreater(len(b.picture(whole=True)), 50_000)

    def test_values_under_the_pointer(self):
        b = self.shown()
        for name, text in (("huge", rf"{TUNABLE} 16\s+list\s+\d \d\d\d\s+bitmap\s+\d \d\d\d"), ("others", rf"{TUNABLE} 16\s+list\s+\d"), ("time", r"s, [\d ]+ events\s+list, as recorded")):
            place = b.run(
                """const e = document.querySelector(arguments[0]);
                e.scrollIntoView({block: "center", behavior: "instant"});
                const r = e.getBoundingClientRect();
                return [r.left + r.width / 2, r.top + r.height / 2]""",
                f"#{name} svg.wide .hit",
            )
            b.frames()
            b.point(*place)
            self.assertRegex(self.tip(), text)
        b.point(1, 1)
        self.assertEqual(self.tip(), "")

    def test_values_by_keys(self):
        b = self.shown()
        b.run("document.querySelector('#huge svg.wide .plot').focus()")
        seen = []
        for _ in range(4):
            b.keys("\ue014")  # arrow to the right
            seen.append(self.tip().split("\n")[0])
        self.assertEqual(seen, [f"{TUNABLE} {value}" for value in (*VALUES, VALUES[-1])])

    def test_points_of_the_script_lie_on_the_curve(self):
        b = self.shown()
        b.run("document.querySelector('#huge svg.wide .plot').focus()")
        b.keys("\ue014")
        apart = b.run(
            """const mid = (e) => { const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; };
            const svg = document.querySelector("#huge svg.wide");
            return [...svg.querySelectorAll(".dot")].map((dot, i) => {
                const [x, y] = mid(dot), [px, py] = mid(svg.querySelector(".p" + i));
                return Math.hypot(x - px, y - py);
            })"""
        )
        self.assertEqual(len(apart), 2)
        self.assertLess(max(apart), 1.5)


if __name__ == "__main__":
    unittest.main()
