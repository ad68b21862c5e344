#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures: `quire replay --html` and `--svg`, as files and as a browser shows them."""

import base64
import html.parser
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as ET
import zlib

import browser
from program import QUIRE, run, run_uncounted
from test_trace import NR_FRAMES, REDIS, TraceTest, alloc, balanced, write_state

FIGURES = ("huge", "orders", "free", "cached", "blocks", "map")
SECTIONS = {*FIGURES, "compare", "mismatch", "traffic", "pressure", "unplaced", "limits", "settings"}
VOID = {"meta", "link", "br", "img", "input", "hr"}
SVG = "{http://www.w3.org/2000/svg}"
NO_MEMORY, RESERVED = 255, 254


class Page(html.parser.HTMLParser):
    """A page taken apart: its elements, and that each is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts, self.wrong = [], [], [], []
        self.data = None
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == "script" and self.elements[-1][1].get("id") == "data":
            self.data = json.loads(data)
        elif not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def unpack(cells):
    """Of each cell of a map: type, pages in use, pages present."""
    planes = zlib.decompress(base64.b64decode(cells))
    nr = len(planes) // 9
    words = [[sum(planes[nr * (first + byte) + i] << 8 * byte for byte in range(4)) for i in range(nr)] for first in (1, 5)]
    return list(zip(planes[:nr], *words))


def grouped(n):
    return f"{n:,}".replace(",", " ")


class PictureTest(TraceTest):
    def setUp(self):
        super().setUp()
        self.html, self.svg = self.directory / "out.html", self.directory / "out.svg"

    def page(self, *args, path=None):
        self.good("replay", "--quiet", "--html", self.html, *args, path or self.path)
        return Page(self.html.read_text(encoding="utf-8"))

    def refused(self, code, text, *args):
        """With this code, and a sentence on stderr after whatever was printed."""
        result = run("replay", "--quiet", *args, self.path)
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (code, 1), result.stderr)
        self.assertIn(text, result.stderr)


class Bundled(PictureTest):
    """The picture of the bundled trace with both engines, made once."""

    @classmethod
    def setUpClass(cls):
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="quire-picture-"))
        cls.addClassCleanup(shutil.rmtree, cls.place, True)
        cls.file = cls.place / "redis.html"
        made = run("replay", "--quiet", "--json", "--engine", "list", "--engine", "bitmap", "--html", cls.file, REDIS)
        assert made.returncode == 0, made.stderr
        cls.report = json.loads(made.stdout)
        cls.source = cls.file.read_text(encoding="utf-8")
        cls.made = Page(cls.source)

    def test_page_is_whole(self):
        self.assertEqual(self.made.wrong, [])
        self.assertEqual({attrs["id"] for tag, attrs in self.made.elements if tag == "section"}, SECTIONS)
        ids = [attrs["id"] for _, attrs in self.made.elements if "id" in attrs]
        self.assertEqual(len(ids), len(set(ids)))
        for _, attrs in self.made.elements:
            if attrs.get("href", "").startswith("#"):
                self.assertIn(attrs["href"][1:], ids)
        self.assertNotIn("{{", self.source)

    def test_page_is_small_and_needs_nothing(self):
        self.assertLess(len(self.source), 1 << 20)
        source = self.source.replace('"http://www.w3.org/2000/svg"', "")  # a name, not an address
        self.assertEqual(re.findall(r"(?i)\b(?:https?|ftp|wss?):.{20}|url\(|@import|@font-face", source), [])
        for tag, attrs in self.made.elements:
            self.assertNotIn(tag, ("img", "iframe", "object", "embed", "base"))
            self.assertNotIn("src", attrs)
            self.assertRegex(attrs.get("href", "#"), r"^(#|data:)")
            self.assertEqual([name for name in attrs if name.startswith("on")], [])

    def test_page_tells_what_the_report_tells(self):
        text = self.made.text
        for one in self.report["runs"]:
            for key in ("free_2m", "free_pages", "pcp_pages"):
                for side in ("model", "machine"):
                    self.assertIn(grouped(one["end"][key][side]), text, (one["label"], key, side))
            for cause, nr in one["unplaced"].items():
                self.assertIn(grouped(nr), text, cause)
            self.assertIn(one["label"], text)
        for row in self.report["runs"][1]["end"]["orders"]:
            self.assertIn(grouped(row["model"]), text)
        self.assertIn("420 423 events in 13.6 s", text)
        self.assertIn("6.18.44", text)

    def test_page_keeps_the_books(self):
        text = self.made.text
        for one in self.report["runs"]:
            difference = one["end"]["free_pages"]["model"] - one["end"]["free_pages"]["machine"]
            self.assertIn(("+" if difference > 0 else "\u2212") + grouped(abs(difference)), text)
        self.assertIn("recorder\u2019s buffers held 256 MiB", text)

    def test_zones_that_are_exact_are_folded_up(self):
        rows = {}
        for row in self.report["runs"][0]["end"]["orders"] + self.report["runs"][1]["end"]["orders"]:
            rows.setdefault(row["zone"], []).append(row["model"] == row["machine"])
        self.assertEqual({all(same) for same in rows.values()}, {True, False})
        for zone, same in rows.items():
            self.assertEqual(bool(re.search(rf"node 0 {zone}, [\d.]+ [MG]iB: exact in every size", self.made.text)), all(same), zone)

    def test_data_of_curves(self):
        for drawn, told in zip(self.made.data["runs"], self.report["runs"], strict=True):
            self.assertEqual(drawn["label"], told["label"])
            self.assertEqual(drawn["huge"], [sample["free_2m"] for sample in told["series"]])
            self.assertEqual(drawn["free"], [sample["free_pages"] for sample in told["series"]])
            self.assertEqual([column[-1] for column in drawn["orders"]], told["series"][-1]["orders"])
            self.assertEqual(drawn["time"], sorted(drawn["time"]))

    def test_maps_have_as_many_free_blocks_as_are_counted(self):
        map_ = self.made.data["map"]
        ends = [one["end"]["free_2m"] for one in self.report["runs"]]
        wanted = [self.report["start"]["free_2m"]["model"], *(end["model"] for end in ends), ends[0]["machine"]]
        self.assertEqual([one["name"] for one in map_["maps"]], ["Before", "After: list", "After: bitmap", "After: the machine"])
        for one, free in zip(map_["maps"], wanted, strict=True):
            cells = unpack(one["cells"])
            self.assertEqual(len(cells), map_["rows"] * map_["columns"])
            counted = sum(1 for type_, used, _ in cells if type_ < RESERVED and not used)
            # kpageflags is read a moment after buddyinfo
            self.assertLessEqual(abs(counted - free), 3, one["name"])
            self.assertTrue(all(used <= present <= 512 for _, used, present in cells))
        self.assertEqual(sum(segment["rows"] for segment in map_["segments"]), map_["rows"])

    def test_map_leaves_out_what_was_never_the_allocators(self):
        cells = unpack(self.made.data["map"]["maps"][0]["cells"])
        ours = sum(1 for type_, _, _ in cells if type_ < RESERVED)
        self.assertLess(ours * 2, 8 << 10)  # the machine had 7.6 GiB of the 24 that kpageflags tells of
        self.assertGreater(ours * 2, 7 << 10)

    def test_every_figure_alone(self):
        for name in FIGURES:
            self.good("replay", "--quiet", "--engine", "bitmap", "--svg", self.svg, "--figure", name, REDIS)
            tree = ET.parse(self.svg).getroot()
            self.assertEqual(tree.tag, SVG + "svg")
            self.assertEqual({e.tag for e in tree.iter()} - {SVG + t for t in "svg title style g path rect text".split()}, set())
            self.assertIn("prefers-color-scheme:dark", tree.find(SVG + "style").text)
            self.assertNotIn("var(", tree.find(SVG + "style").text)
            self.assertGreater(len(list(tree.iter(SVG + "path"))) + len(list(tree.iter(SVG + "rect"))), 10, name)
            self.assertLess(self.svg.stat().st_size, 200_000)

    def test_first_figure_is_that_of_2m_blocks(self):
        self.good("replay", "--quiet", "--svg", self.svg, REDIS)
        texts = [text.text for text in ET.parse(self.svg).getroot().iter(SVG + "text")]
        self.assertIn(grouped(self.report["end"]["free_2m"]["model"]), texts)
        self.assertIn(grouped(self.report["end"]["free_2m"]["machine"]), texts)

    def test_terminal_says_where_it_is(self):
        out = self.good("replay", "--quiet", "--html", self.html, "--svg", self.svg, REDIS)
        self.assertIn(str(self.html), out)
        self.assertIn(str(self.svg), out)


class OtherTraces(PictureTest):
    def test_one_event(self):
        self.machine(alloc(1, 600))
        page = self.page()
        self.assertEqual(page.wrong, [])
        self.assertIn("1 events", page.text)

    def test_nothing_to_compare_with(self):
        state = self.directory / "state"
        state.mkdir()
        write_state(state, **{f"{name}_after": None for name in ("zoneinfo", "buddyinfo", "pagetypeinfo", "iomem", "kpageflags")})
        self.importing(balanced(), "--state", state)
        page = self.page()
        self.assertIn("nothing to compare with", page.text)
        self.assertEqual([one["name"] for one in page.data["map"]["maps"]], ["Before", "After: list"])
        for name in FIGURES:
            self.good("replay", "--quiet", "--svg", self.svg, "--figure", name, self.path)
            ET.parse(self.svg)

    def test_many_replays(self):
        self.machine(balanced())
        runs = [arg for scale in range(10, 150, 10) for arg in ("--compare", f"watermark_scale_factor={scale}")]
        page = self.page(*runs)
        self.assertEqual((len(page.data["runs"]), page.wrong), (15, []))
        self.assertIn("watermark_scale_factor=140", page.text)

    def test_time_running_backwards(self):
        state = self.directory / "state"
        state.mkdir()
        write_state(state)
        lines = balanced().splitlines(True)
        run("import", "-o", self.path, "--state", state, stdin="".join(lines[64:] + lines[:64]))
        times = self.page().data["runs"][0]["time"]
        self.assertEqual(times, sorted(times))
        self.assertLess(times[-1], 10)

    def test_types_and_fullness_of_the_map(self):
        self.machine(balanced())
        cells = unpack(self.page().data["map"]["maps"][0]["cells"])
        present = [cell for cell in cells if cell[0] != NO_MEMORY]
        self.assertEqual(len(present), NR_FRAMES // 512)
        self.assertEqual([used for _, used, _ in present], [512] + [0] * 7)

    def test_markup_in_names_is_text(self):
        evil = """</script><script>document.title="hacked"</script><img src=x onerror='document.title="hacked"'>&"'{{data}}"""
        state = self.directory / "state"
        state.mkdir()
        write_state(state, uname=evil.encode() + b"\xff\xfe\x01\n", sysctl=f"vm.swappiness = {evil[:60]}\nvm.<b>x</b> = 1\n")
        self.path = self.directory / """<img onerror=1>&"'.qtrace"""
        self.importing(balanced().replace("redis-server", "<script>"), "--state", state)
        page = self.page()
        self.assertEqual(page.wrong, [])
        self.assertEqual({tag for tag, _ in page.elements} & {"img", "b"}, {"b"})  # b: our own numbers
        self.assertEqual(len([tag for tag, _ in page.elements if tag == "script"]), 2)
        self.assertIn("""</script><script>document.title="hacked"</script><img""", page.text)
        self.assertIn("""<img onerror=1>&"'.qtrace""", page.text)
        self.good("replay", "--quiet", "--svg", self.svg, self.path)
        self.assertNotIn("<img", self.svg.read_text(encoding="utf-8"))
        ET.parse(self.svg)


class Writing(PictureTest):
    def setUp(self):
        super().setUp()
        self.machine(balanced())

    def left(self):
        return sorted(path.name for path in self.directory.iterdir() if path.is_file() and path != self.path)

    def test_wrong_usage(self):
        self.bad(2, "huge, orders, free, cached, blocks, map", "replay", "--svg", self.svg, "--figure", "nosuch", self.path)
        self.bad(2, "there is no --svg", "replay", "--html", self.html, "--figure", "map", self.path)
        self.bad(4, "cannot be both", "replay", "--html", self.html, "--svg", self.html, self.path)
        for name in FIGURES:
            self.assertIn(name, self.good("replay", "--help"))
        self.assertEqual(self.left(), [])

    def test_where_nothing_can_be_written(self):
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        for option in ("--html", "--svg"):
            self.bad(4, "cannot be created", "replay", option, self.directory / "no" / "where", self.path)
            self.bad(4, "not a regular file", "replay", option, pipe, self.path)
            self.bad(4, "not a regular file", "replay", option, self.directory, self.path)
        # found before the replay, and the other file is not begun
        self.bad(4, "cannot be created", "replay", "--html", self.html, "--svg", self.directory / "no" / "where", self.path)
        self.assertEqual(self.left(), [])
        self.assertTrue(pipe.is_fifo())

    def test_only_pictures_are_replaced(self):
        precious = self.path.read_bytes()
        self.bad(4, "is no such picture", "replay", "--html", self.path, self.path)
        self.assertEqual(self.path.read_bytes(), precious)
        self.html.write_text("<!doctype html>old")
        self.svg.write_text("<svg old")
        self.good("replay", "--quiet", "--html", self.html, "--svg", self.svg, self.path)
        self.assertNotIn("old", self.html.read_text()[:100])
        self.bad(4, "is no such picture", "replay", "--svg", self.html, self.path)
        self.assertEqual(self.left(), ["out.html", "out.svg"])

    def test_trace_that_is_bad_leaves_nothing_and_the_old_picture(self):
        self.html.write_text("<!doctype html>old")
        self.path.write_bytes(b"no trace at all, but long enough to be looked at")
        self.refused(3, "not a .qtrace", "--html", self.html, "--svg", self.svg)
        self.assertEqual((self.left(), self.html.read_text()), (["out.html"], "<!doctype html>old"))

    def test_full_disk_leaves_nothing(self):
        for option in ("--html", "--svg"):
            result = run_uncounted(
                [QUIRE, "replay", "--quiet", option, self.html, self.path],
                restore_signals=False,  # the limit below must not kill
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
            )
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn("cannot write", result.stderr)
            self.assertEqual(self.left(), [])

    def test_interrupted_leaves_nothing(self):
        codes = []
        for delay in (0.03, 0.06, 0.12, 0.25, 0.5, 1, 3):
            command = [QUIRE, "replay", *["--compare", "cpus=1"] * 15, "--html", self.html, REDIS]  # takes seconds on any host
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            child.send_signal(signal.SIGINT)
            codes.append(child.wait(60))
            self.assertIn(codes[-1], (130, -signal.SIGINT, 0))
            self.assertEqual(self.left(), ["out.html"] if codes[-1] == 0 else [], codes)
            self.html.unlink(missing_ok=True)
        self.assertIn(130, codes)


@unittest.skipUnless(browser.PRESENT, browser.WHY_NOT)
class InBrowser(Bundled):
    """Only what a browser can tell: the tests of the page itself are in its parent."""

    for _name in [name for name in dir(Bundled) if name.startswith("test_")]:
        locals()[_name] = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser().__enter__()
        cls.addClassCleanup(cls.browser.__exit__)
        cls.browser.blank()

    def shown(self, width=1280, height=900, dark=False, path=None, **how):
        """The page, with everything drawn; it has nothing to complain of and asks for nothing."""
        path = path or self.file
        self.browser.screen(width, height, dark, **how)
        self.browser.open(path)
        self.assertTrue(self.browser.wait("return document.documentElement.dataset.script"))
        self.assertEqual(self.browser.logged(), [])
        self.assertEqual(set(self.browser.requested()), {path.resolve().as_uri()})
        return self.browser

    def drawn(self):
        """What is on the first map: how many pixels have a colour, how strong they are together, and all of it."""
        return self.browser.run(
            """const from = document.querySelector(".maps canvas"), to = document.createElement("canvas");
            [to.width, to.height] = [from.width, from.height];
            const c = to.getContext("2d", {willReadFrequently: true});
            c.drawImage(from, 0, 0);
            const alpha = c.getImageData(0, 0, to.width, to.height).data.filter((v, i) => i % 4 === 3);
            return {nr: alpha.filter((v) => v).length, strength: alpha.reduce((s, v) => s + v, 0), all: to.toDataURL()}"""
        )

    def middle(self, selector, down=0.5):
        """A place on an element that is brought into view: in the middle, so far down."""
        self.browser.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})", selector)
        self.browser.frames()
        return self.browser.run(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height * arguments[1]]",
            selector,
            down,
        )

    def tip(self):
        return self.browser.run("const t = document.getElementById('tip'); return t.hidden ? '' : t.innerText.replace(/\\u00a0/g, ' ')")

    def test_looks_and_fits_everywhere(self):
        lights = {}
        for width, height, mobile in ((1600, 1000, False), (1280, 900, False), (768, 1024, False), (390, 844, True), (320, 640, True)):
            for dark in (False, True):
                b = self.shown(width, height, dark, mobile=mobile)
                self.assertLessEqual(b.run("return document.documentElement.scrollWidth"), width, (width, dark))
                self.assertEqual(b.run("return document.documentElement.dataset.script"), "map")
                self.assertGreater(self.drawn()["nr"], 10000)
                shown = b.run("return [...document.querySelectorAll('svg.figure')].filter((e) => e.clientWidth).map((e) => e.getAttribute('class'))")
                self.assertEqual(shown, ["figure narrow" if width <= 700 else "figure wide"] * 5)
                lights[width, dark] = sum(map(int, re.findall(r"\d+", b.run("return getComputedStyle(document.body).backgroundColor"))[:3]))
                self.assertGreater(len(b.picture(whole=True)), 50_000)
        for (width, dark), light in lights.items():
            self.assertEqual(light < 200, dark, (width, dark))

    def test_text_is_large_enough_to_read(self):
        for width, mobile in ((1280, False), (720, False), (390, True)):
            b = self.shown(width, 900, mobile=mobile)
            least = b.run(
                """return Math.min(...[...document.querySelectorAll("svg.figure text")].filter((e) => e.getBoundingClientRect().width)
                .map((e) => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a))"""
            )
            self.assertGreater(least, 9, width)

    def test_without_script(self):
        for width in (1280, 390):
            self.browser.screen(width, 900, mobile=width < 700, script=False)
            self.browser.open(self.file)
            self.assertLessEqual(self.browser.devtools("Page.getLayoutMetrics")["cssContentSize"]["width"], width)
            document = self.browser.devtools("DOM.getDocument")["root"]["nodeId"]
            shape = "svg.narrow" if width < 700 else "svg.wide"
            for name in FIGURES:
                found = self.browser.devtools("DOM.querySelector", nodeId=document, selector=f"#{name} {shape}")["nodeId"]
                box = self.browser.devtools("DOM.getBoxModel", nodeId=found)["model"]
                self.assertGreater(box["height"], 100, (width, name))
        self.assertEqual(self.browser.logged(), [])

    def test_values_under_the_pointer(self):
        b = self.shown()
        b.point(*self.middle("#huge svg.wide .hit"))
        self.assertRegex(self.tip(), r"(?s)s, [\d ]+ events\s+list\s+\d \d\d\d\s+\d\.\d+ GiB\s+bitmap")
        b.point(*self.middle("#orders svg.wide .hit"))
        self.assertRegex(self.tip(), r"(?s)4 MiB\s+[\d.]+ GiB.*4 KiB")
        b.point(1, 1)
        self.assertEqual(self.tip(), "")

    def test_values_by_keys(self):
        b = self.shown()
        self.middle("#huge svg.wide .hit")
        b.run("document.querySelector('#huge svg.wide .plot').focus({preventScroll: true})")
        b.keys("\ue014" * 3)  # arrow to the right
        self.assertRegex(self.tip(), "events")
        b.keys("\ue004")  # tab
        self.assertEqual(self.tip(), "")

    def test_map_tells_of_a_block_in_every_map(self):
        b = self.shown()
        b.point(*self.middle(".maps canvas", down=0.8))
        self.assertRegex(self.tip(), r"(?s)pfn 0x[0-9a-f]+ to 0x[0-9a-f]+, node 0 \w+.*Before\s.*After: list\s.*After: bitmap\s.*After: the machine\s")
        self.assertRegex(self.tip(), r"wholly free|in use")

    def test_map_zooms_and_moves(self):
        b = self.shown()
        x, y = self.middle(".maps canvas")
        zoomed = "return document.querySelectorAll('.maps canvas.zoomed').length"
        self.assertEqual(b.run(zoomed), 0)
        b.run("document.querySelector('.maps canvas').focus({preventScroll: true})")
        whole = self.drawn()
        b.keys("+++")
        self.assertEqual(b.run(zoomed), 4)
        self.assertNotEqual(self.drawn(), whole)
        b.keys("\ue014\ue015")  # right, down
        first = self.tip()
        self.assertIn("pfn 0x", first)
        b.keys("\ue014")
        self.assertIn("pfn 0x", self.tip())
        self.assertNotEqual(self.tip(), first)
        b.keys("0")
        self.assertEqual(b.run(zoomed), 0)
        b.run("document.querySelector('.tools button').click()")
        self.assertEqual(b.run(zoomed), 4)

    def test_map_is_dragged(self):
        b = self.shown()
        x, y = self.middle(".maps canvas", down=0.8)
        b.run("document.querySelector('.maps canvas').focus({preventScroll: true})")
        b.keys("++")
        held = self.pointed(x, y)
        self.assertRegex(held, "pfn 0x")
        b.drag(x, y, -60, 20)
        self.assertEqual(self.tip(), held)  # the block came along
        self.assertNotEqual(self.pointed(x, y), held)

    def pointed(self, x, y):
        self.browser.point(x, y)
        return self.tip()

    def test_map_shows_one_type(self):
        b = self.shown()
        all_of_it = self.drawn()
        b.run("document.querySelector('.types button').click()")
        self.assertEqual(b.run("return document.querySelector('.types button').getAttribute('aria-pressed')"), "true")
        self.assertLess(self.drawn()["strength"], all_of_it["strength"] / 2)
        b.run("document.querySelector('.types button').click()")
        self.assertEqual(self.drawn(), all_of_it)

    def test_theme_button(self):
        b = self.shown()
        light = b.run("return getComputedStyle(document.body).backgroundColor")
        seen = []
        for _ in range(3):
            b.run("document.getElementById('theme').click()")
            seen.append((b.run("return document.documentElement.dataset.theme || 'auto'"), b.run("return getComputedStyle(document.body).backgroundColor") == light))
        self.assertEqual(seen, [("light", True), ("dark", False), ("auto", True)])

    def test_names_of_a_trace_do_nothing(self):
        state = self.directory / "state"
        state.mkdir()
        evil = """</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">"""
        write_state(state, uname=evil + "\n", sysctl=f"vm.swappiness = {evil[:70]}\n")
        self.path = self.directory / "<img src=x onerror='window.hacked=1'>.qtrace"
        self.importing(balanced(), "--state", state)
        self.good("replay", "--quiet", "--html", self.html, self.path)
        self.assertFalse(self.shown(path=self.html).run("return window.hacked || false"))

    def test_figures_alone(self):
        for name in FIGURES:
            self.good("replay", "--quiet", "--svg", self.svg, "--figure", name, REDIS)
            colours = set()
            for dark in (False, True):
                self.browser.screen(920, 900, dark)
                self.browser.open(self.svg)
                colours.add(self.browser.run("return getComputedStyle(document.querySelector('.paper')).fill"))
                self.assertEqual(self.browser.logged(), [], name)
            self.assertEqual(len(colours), 2, name)
            self.assertEqual(set(self.browser.requested()), {self.svg.resolve().as_uri()})

    def test_plain_browser_runs_the_script(self):
        arguments = [
            browser.CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={self.directory}/profile",
            "--virtual-time-budget=20000", "--dump-dom", self.file.resolve().as_uri(),
        ]  # fmt: skip
        dumped = subprocess.run(arguments, capture_output=True, text=True, timeout=90)
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        self.assertIn('data-script="map"', dumped.stdout)
        self.assertGreaterEqual(dumped.stdout.count("<canvas"), 4)


if __name__ == "__main__":
    unittest.main()
