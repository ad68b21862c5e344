#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Machine descriptions: those that are wrong, those that are bundled, and writing what was read."""

import pathlib
import re
import unittest

from program import MACHINES, ProgramTest, run

HERE = pathlib.Path(__file__).resolve().parent
EXPECT = re.compile(r"# expect(:.*)")


class BadMachines(ProgramTest):
    """Each bad_machines/*.machine says on its first line what must be said of it."""

    def test_each(self):
        files = sorted((HERE / "bad_machines").glob("*.machine"))
        self.assertGreater(len(files), 30)
        for path in files:
            expected = EXPECT.match(path.read_text().splitlines()[0]).group(1)
            with self.subTest(path.name):
                self.bad(3, f"{path}{expected}", "show", "buddyinfo", path)

    def test_every_verb_refuses_them(self):
        path = HERE / "bad_machines" / "overlap.machine"
        for verb in (["show", "map"], ["stress"], ["tunables"]):
            self.bad(3, f"quire {verb[0]}: {path}:4:1: ", *verb, path)

    def test_machine_of_zeros(self):
        self.bad(3, "stdin:1:1: a control character (0x00)", "show", "buddyinfo", "-", stdin="\0" * 4096)

    def test_endless_line(self):
        self.bad(3, "stdin:1:129: more than 64 words", "show", "buddyinfo", "-", stdin="a " * 100000)

    def test_lines_cut_short(self):
        """No prefix of a good description crashes the reader, and each is accepted or refused in order."""
        text = (MACHINES / "numa-4-memoryless.machine").read_text()
        for end in range(0, len(text), 7):
            result = run("show", "buddyinfo", "-", stdin=text[:end])
            self.assertIn(result.returncode, (0, 3), text[:end])
            self.assertEqual(len(result.stderr.splitlines()), 1 if result.returncode else 0)


class GoodMachines(ProgramTest):
    def test_bundled_ones_are_read_and_written(self):
        files = sorted(MACHINES.glob("*.machine"))
        self.assertGreaterEqual(len(files), 6)
        for path in files:
            with self.subTest(path.name):
                first = self.good("show", "machine", path)
                again = self.good("show", "machine", "-", stdin=first)
                self.assertEqual(first.split("\n", 1)[1], again.split("\n", 1)[1])

    def test_the_host_can_be_written_and_read(self):
        text = self.good("show", "machine")
        self.assertIn("ram ", text)
        self.good("show", "buddyinfo", "-", stdin=text)

    def test_sizes(self):
        for size in ("16M", "16m", "16MiB", "16mb", "16384K", "0x1000000", "16777216", "0.015625G"):
            machine = self.good_json(
                "show", "machine", "-", schema="quire-show-machine", stdin=f"ram 0 size {size}\ncpus 1\n"
            )
            self.assertEqual(machine["ranges"][0]["pages"], 4096, size)

    def test_cpu_lists(self):
        text = "ram 0 size 64M\nram 64M end 128M node 1\ncpu 0,2-3 node 1\ncpus 2\ncpu 1 node 0\n"
        machine = self.good_json("show", "machine", "-", schema="quire-show-machine", stdin=text)
        self.assertEqual(machine["cpu_nodes"], [1, 0, 1, 1, 0, 0])

    def test_distances_go_both_ways(self):
        text = "".join(f"ram {64 * n}M size 64M node {n}\n" for n in range(3))
        text += "cpus 1\ndistance 0 2 31\n"
        machine = self.good_json("show", "machine", "-", schema="quire-show-machine", stdin=text)
        self.assertEqual(machine["distances"], [[10, 20, 31], [20, 10, 20], [31, 20, 10]])

    def test_zone_limits(self):
        text = "ram 0 size 64M\ncpus 1\nzone dma end 8M\nzone normal rest\n"
        machine = self.good_json("show", "machine", "-", schema="quire-show-machine", stdin=text)
        zones = [(zone["zone"], zone["start_pfn"], zone["end_pfn"]) for zone in machine["zones"]]
        self.assertEqual(zones, [("DMA", 0, 2048), ("Normal", 2048, 16384)])

    def test_settings_reach_the_instance(self):
        text = "ram 0 size 64M\ncpus 1\nset watermark_scale_factor 300\nset lowmem_reserve_ratio 100 99 98\n"
        table = self.good_json("tunables", "-", schema="quire-tunables", stdin=text)
        rows = {row["name"]: row for row in table["tunables"]}
        self.assertEqual(rows["watermark_scale_factor"]["value"], "300")
        self.assertEqual(rows["watermark_scale_factor"]["default"], "10")
        self.assertEqual(rows["lowmem_reserve_ratio"]["value"], "100 99 98 0 0")
        self.assertEqual(rows["lowmem_reserve_ratio"]["default"], "256 256 32 0 0")


if __name__ == "__main__":
    unittest.main()
