#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The views of `quire show`, as text and as JSON, and `quire tunables`."""

import re
import unittest

from program import MACHINES, ProgramTest, run

TINY = MACHINES / "tiny.machine"
SERVER = MACHINES / "server-2-nodes.machine"
BUDDYINFO = re.compile(r"Node (\d+), zone +(\S+) ((?: *\d+ ){11})")


def buddyinfo_of(text):
    rows = [BUDDYINFO.fullmatch(line) for line in text.splitlines()]
    return {(int(row[1]), row[2]): [int(n) for n in row[3].split()] for row in rows}


class Views(ProgramTest):
    def test_buddyinfo_has_the_kernel_s_form(self):
        self.assertEqual(
            self.good("show", "buddyinfo", TINY),
            "Node 0, zone   Normal      0      0      0      0      0      0      0      0      0      0      4 \n",
        )

    def test_buddyinfo_json_says_the_same(self):
        document = self.good_json("show", "buddyinfo", SERVER, schema="quire-show-buddyinfo")
        text = buddyinfo_of(self.good("show", "buddyinfo", SERVER))
        told = {(zone["node"], zone["zone"]): zone["free_blocks"] for zone in document["zones"]}
        self.assertEqual(text, told)
        self.assertEqual(sorted(told), [(0, "DMA"), (0, "DMA32"), (0, "Normal"), (1, "Normal")])

    def test_pagetypeinfo(self):
        text = self.good("show", "pagetypeinfo", TINY)
        self.assertTrue(text.startswith("Page block order: 9\nPages per block:  512\n\n"), text)
        document = self.good_json("show", "pagetypeinfo", TINY, schema="quire-show-pagetypeinfo")
        zone = document["zones"][0]
        self.assertEqual(sum(zone["pageblocks"].values()), 8)
        self.assertEqual(document["pageblock_order"], 9)
        self.assertEqual(zone["free_blocks"]["Movable"][10], 4)

    def test_zoneinfo(self):
        text = self.good("show", "zoneinfo", TINY)
        document = self.good_json("show", "zoneinfo", TINY, schema="quire-show-zoneinfo")
        zone = document["zones"][0]
        self.assertIn(f"        min      {zone['watermarks']['min']}\n", text)
        self.assertIn(f"        managed  {zone['managed']}\n", text)
        self.assertEqual((zone["spanned"], zone["present"], zone["managed"]), (4096, 4096, 4096))
        self.assertEqual(len(zone["pagesets"]), 2)

    def test_vmstat(self):
        text = self.good("show", "vmstat", TINY, "--alloc", "0:10")
        counters = self.good_json("show", "vmstat", TINY, "--alloc", "0:10", schema="quire-show-vmstat")["counters"]
        self.assertEqual(dict(line.split(" ") for line in text.splitlines()), {k: str(v) for k, v in counters.items()})
        self.assertEqual(counters["pgalloc_normal"], 10)
        self.assertTrue(text.endswith("\nnr_unstable 0\n"))

    def test_machine_json(self):
        document = self.good_json("show", "machine", SERVER, schema="quire-show-machine")
        self.assertEqual(len(document["cpu_nodes"]), 64)
        self.assertEqual(document["distances"], [[10, 21], [21, 10]])
        self.assertEqual(document["settings"], {"watermark_scale_factor": "10"})

    def test_the_same_command_prints_the_same(self):
        args = ("show", "buddyinfo", SERVER, "--alloc", "0:1000:movable", "--alloc", "2:33")
        self.assertEqual(self.good(*args), self.good(*args))

    def test_without_a_file_it_is_this_host(self):
        pages = sum(zone["managed"] for zone in self.good_json("show", "zoneinfo", schema="quire-show-zoneinfo")["zones"])
        with open("/proc/meminfo") as meminfo:
            host = int(meminfo.readline().split()[1]) // 4
        self.assertAlmostEqual(pages, host, delta=host // 50)


class Map(ProgramTest):
    def test_letters(self):
        text = self.good("show", "map", TINY, "--alloc", "9:1:movable", "--alloc", "0:1:unmovable")
        self.assertIn("Node 0, zone Normal: ", text)
        row = text.splitlines()[1].split()[-1]
        self.assertEqual(len(row), 8, text)
        self.assertEqual(sorted(row), sorted("M" + "u" + "." * 6), text)
        self.assertIn("One character is 1 pageblock (2M).", text)
        self.assertNotIn("\033", text)

    def test_colours(self):
        env = {"LC_ALL": "C.UTF-8"}
        text = self.good("show", "map", TINY, "--color", "always", "--alloc", "9:1:movable", env=env)
        self.assertIn("\033[32m", text)
        self.assertIn("\u2588", text)
        self.assertNotIn("\033", self.good("show", "map", TINY, env=env))

    def test_large_machines_fit(self):
        for columns in (70, 80, 100):
            text = self.good("show", "map", SERVER, env={"COLUMNS": str(columns)})
            self.assertLess(len(text.splitlines()), 80)
            self.assertLessEqual(max(map(len, text.splitlines())), columns)
            self.assertIn("pageblocks (", text)

    def test_what_a_zone_holds_is_told_in_as_many_lines_as_it_takes(self):
        text = self.good("show", "map", TINY, "--alloc", "0:1:unmovable", "--alloc", "0:1:movable", "--alloc", "0:1:reclaimable", env={"COLUMNS": "70"})
        lines = text.splitlines()
        self.assertRegex(lines[0], r"^Node 0, zone Normal: \d+ of \d+ pages free; Unmovable \d+ Movable \d+$")
        self.assertRegex(lines[1], r"^  Reclaimable \d+$")
        self.assertLessEqual(max(map(len, lines)), 70)

    def test_blocks_per_char(self):
        text = self.good("show", "map", TINY, "--blocks-per-char", "4")
        self.assertEqual(text.splitlines()[1].split()[-1], "..")

    def test_json_adds_up(self):
        document = self.good_json("show", "map", TINY, "--alloc", "0:100", schema="quire-show-map")
        rows = document["zones"][0]["pageblocks"]
        columns = document["columns"]
        self.assertEqual(len(rows), 8)
        for row in rows:
            self.assertEqual(sum(row[2:]), 512, row)
        self.assertEqual(sum(row[columns.index("allocated")] for row in rows), 100)


class Allocations(ProgramTest):
    def free_pages(self, *args):
        zones = buddyinfo_of(self.good("show", "buddyinfo", TINY, *args)).values()
        return sum(n << order for counts in zones for order, n in enumerate(counts))

    def test_large_blocks(self):
        self.assertEqual(self.free_pages("--alloc", "10:2"), 2048)

    def waiting_pages(self, *args):
        text = self.good("show", "zoneinfo", TINY, *args)
        return sum(int(line.split()[1]) for line in text.splitlines() if line.split()[:1] == ["count:"])

    def test_freed_again(self):
        for engine in "list", "bitmap":
            for every, left in ("1", 0), ("2", 10 * 32):
                args = "--engine", engine, "--alloc", "5:20", "--free-every", every
                # blocks of this order wait in the caches of the one engine, and not of the other
                waiting = 0 if engine == "list" else self.waiting_pages(*args)
                self.assertEqual(self.free_pages(*args) + waiting, 4096 - left, engine)

    def test_all(self):
        free = self.free_pages("--alloc", "5:all:movable")
        self.assertLess(free, 1024)

    def test_more_than_there_is(self):
        result = run("show", "buddyinfo", TINY, "--alloc", "10:5")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^quire show: --alloc 10:5: there were only \d blocks of order 10\n$")
        self.assertTrue(result.stdout.startswith("Node 0"))

    def test_gfp_spellings(self):
        for gfp in ("GFP_KERNEL", "kernel", "0xcc0", "unmovable", "GFP_KERNEL|__GFP_ZERO", "user+__GFP_NOWARN"):
            # The list engine gives all of the largest free block to the type, the bitmap engine one pageblock.
            for engine, pageblocks in (("list", 2), ("bitmap", 1)):
                blocks = self.good_json(
                    "show", "pagetypeinfo", "--engine", engine, TINY, "--alloc", f"0:1:{gfp}",
                    schema="quire-show-pagetypeinfo",
                )
                self.assertEqual(blocks["zones"][0]["pageblocks"]["Unmovable"], pageblocks, (engine, gfp))

    def test_settings(self):
        def low(*args):
            return self.good_json("show", "zoneinfo", TINY, *args, schema="quire-show-zoneinfo")["zones"][0][
                "watermarks"
            ]

        self.assertEqual(low("--set", "min_free_kbytes=400")["min"], 100)
        wide = low("--set", "min_free_kbytes=400", "--set", "watermark_scale_factor=1000")
        self.assertEqual(wide["low"], 100 + 4096 // 10)


class Tunables(ProgramTest):
    def test_table_and_json_have_the_same_rows(self):
        lines = self.good("tunables", TINY).splitlines()
        document = self.good_json("tunables", TINY, schema="quire-tunables")
        self.assertEqual(lines[0].split(), ["NAME", "VALUE", "DEFAULT", "RANGE", "MEANING"])
        self.assertEqual([line.split()[0] for line in lines[1:]], [row["name"] for row in document["tunables"]])
        rows = {row["name"]: row for row in document["tunables"]}
        self.assertEqual(rows["watermark_boost_factor"]["value"], "0")
        self.assertEqual(rows["watermark_boost_factor"]["default"], "15000")
        self.assertIsNone(rows["compact_memory"]["value"])
        self.assertEqual((rows["watermark_scale_factor"]["min"], rows["watermark_scale_factor"]["max"]), (1, 3000))


if __name__ == "__main__":
    unittest.main()
