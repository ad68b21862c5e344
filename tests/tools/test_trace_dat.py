#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`quire import` of trace-cmd's files: kernels differ, files are packed or piped, and may be damaged."""

import gzip
import random
import shutil
import subprocess
import unittest

from program import QUIRE, run
from traces import TraceTest, write_state
import trace_dat

KERNEL, MOVABLE = 0xCC0, 0x8


def traffic(events, nr=400):
    """Pages are allocated on two CPUs and freed on the other one."""
    cpus = ([], [])
    for i in range(nr):
        time, pfn = 1_000_000_000 + i * 1000, 600 + i
        cpus[i % 2].append((time, events["mm_page_alloc"].record(100 + i % 3, pfn=pfn, order=0, gfp_flags=KERNEL | MOVABLE, migratetype=1)))
        cpus[1 - i % 2].append((time + 400_000, events["mm_page_free"].record(7, pfn=pfn, order=0)))
    return [sorted(records, key=lambda record: record[0]) for records in cpus]


class TraceDat(TraceTest):
    def setUp(self):
        super().setUp()
        self.events = trace_dat.kinds()
        self.good_bytes = trace_dat.trace_dat(self.events, traffic(self.events), ["100 redis-server", "101 [kworker/0:1]"])
        self.dat = self.directory / "trace.dat"
        self.dat.write_bytes(self.good_bytes)

    def importing_dat(self, path=None, *args):
        return self.good_json("import", "-o", self.path, "--force", *args, path or self.dat, schema="quire-import")

    def test_file(self):
        document = self.importing_dat()
        self.assertEqual((document["events"], document["lines"], document["unknown_gfp"], document["backward"]), (800, 800, 0, 0))
        info = self.info()
        self.assertEqual((info["kinds"]["mm_page_alloc"], info["kinds"]["mm_page_free"]), (400, 400))
        self.assertEqual((info["first_ns"], info["last_ns"], info["tasks"]), (1_000_000_000, 1_000_799_000, 4))

    def test_it_says_what_the_text_says(self):
        """The same events as text of ftrace give the same recording, but for the text's rounding."""
        comms = {100: "redis-server", 101: "[kworker/0:1]", 102: "<...>", 7: "<...>"}
        lines = []
        for cpu, records in enumerate(traffic(self.events)):
            for time, record in records:
                pid, pfn = int.from_bytes(record[4:8], "little"), int.from_bytes(record[8:16], "little")
                alloc = record[0:2] == (501).to_bytes(2, "little")
                more = " migratetype=1 gfp_flags=GFP_KERNEL|__GFP_MOVABLE" if alloc else ""
                name = "mm_page_alloc" if alloc else "mm_page_free"
                lines.append((time, f"{comms[pid]:>16}-{pid} [{cpu:03}] ..... {time / 1e9:.6f}: {name}: page=0x1 pfn={pfn:#x} order=0{more}\n"))
        state = self.directory / "state"
        state.mkdir()
        write_state(state)
        self.importing("".join(line for _, line in sorted(lines)), "--state", state)
        text = self.replay()
        self.importing_dat(None, "--state", state)
        dat = self.replay()
        for name in ("events", "unplaced", "end", "allocations", "frees"):
            self.assertEqual(dat[name], text[name], name)

    def test_fields_are_found_by_name(self):
        alloc = (("int migratetype", 4), ("unsigned int gfp_flags", 4), ("int nid", 4), ("unsigned char order", 1), ("unsigned long pfn", 8))
        free = (("unsigned int order", 4), ("unsigned long pfn", 8))
        events = trace_dat.kinds(alloc, free)
        self.dat.write_bytes(trace_dat.trace_dat(events, traffic(events)))
        self.assertEqual(self.importing_dat()["events"], 800)
        reordered = self.path.read_bytes()
        self.dat.write_bytes(trace_dat.trace_dat(self.events, traffic(self.events)))
        self.importing_dat()
        self.assertEqual(self.path.read_bytes(), reordered)

    def test_other_events_are_passed_over_and_fallbacks_taken(self):
        cpu = [
            (1000, self.events["mm_page_alloc_extfrag"].record(5, pfn=8, alloc_order=1, fallback_order=9, alloc_migratetype=0, fallback_migratetype=1, change_ownership=1)),
            (2000, self.events["kfree"].record(5, pfn=1)),
            (3000, self.events["mm_page_alloc"].record(5, pfn=(1 << 64) - 1, order=9, gfp_flags=KERNEL)),
        ]
        self.dat.write_bytes(trace_dat.trace_dat(self.events, [cpu]))
        document = self.importing_dat()
        self.assertEqual((document["events"], document["skipped"]), (2, 1))
        self.assertEqual(self.info()["kinds"]["mm_page_alloc_extfrag"], 1)

    def test_buffers_beside_the_top_one(self):
        """trace-cmd record -B: the events may lie in any buffer, or in several."""
        self.importing_dat()
        wanted = self.path.read_bytes()
        both = traffic(self.events)
        for top, buffers in (
            ([[], []], {"mine": both}),
            ([both[0], []], {"mine": [[], both[1]]}),
            ([[], []], {"a": [both[0], []], "b": [[], both[1]]}),
        ):
            self.dat.write_bytes(trace_dat.trace_dat(self.events, top, ["100 redis-server", "101 [kworker/0:1]"], buffers))
            self.assertEqual(self.importing_dat()["events"], 800, buffers.keys())
            self.assertEqual(self.path.read_bytes(), wanted, buffers.keys())

    def test_packed_and_piped(self):
        self.importing_dat()
        wanted = self.path.read_bytes()
        packed = {"plain": self.good_bytes, "gzip": gzip.compress(self.good_bytes)}
        if shutil.which("zstd"):
            packed["zstd"] = subprocess.run(["zstd", "-qc", self.dat], stdout=subprocess.PIPE, check=True).stdout
        for how, data in packed.items():
            with self.subTest(how):
                path = self.directory / "packed"
                path.write_bytes(data)
                self.importing_dat(path)
                self.assertEqual(self.path.read_bytes(), wanted)
                piped = subprocess.run([QUIRE, "import", "--force", "-o", self.path, "-"], input=data, capture_output=True)
                self.assertEqual((piped.returncode, piped.stderr), (0, b""))
                self.assertEqual(self.path.read_bytes(), wanted)
                path.write_bytes(data[:-30])
                result = run("import", "--force", "-o", self.path, path)
                self.assertEqual(result.returncode, 3, result.stderr)
                self.assertIn("damaged", result.stderr)

    def test_no_page_events(self):
        events = {"kfree": self.events["kfree"]}
        self.dat.write_bytes(trace_dat.trace_dat(events, [[(1, self.events["kfree"].record(1))]]))
        self.bad(3, "holds no kmem:mm_page_alloc", "import", "-o", self.path, self.dat)

    def test_no_events_at_all(self):
        self.dat.write_bytes(trace_dat.trace_dat(self.events, [[], []]))
        self.bad(3, "no page event", "import", "-o", self.path, self.dat)
        self.assertFalse(self.path.exists())

    def test_damaged(self):
        """Whatever is in the file: it is imported or refused in one line, and nothing is left."""
        noise = random.Random(2026)
        nr_refused = 0
        for turn in range(120):
            data = bytearray(self.good_bytes)
            if turn % 3 == 0:
                del data[noise.randrange(len(data)) :]
            for _ in range(turn % 3 * 4):
                data[noise.randrange(len(data) if turn % 2 else 3000)] ^= 1 << noise.randrange(8)
            self.dat.write_bytes(data)
            self.path.unlink(missing_ok=True)
            result = run("import", "-o", self.path, self.dat)
            self.assertIn(result.returncode, (0, 3), (turn, result.stderr))
            if result.returncode:
                nr_refused += 1
                self.assertEqual(len(result.stderr.splitlines()), 1, (turn, result.stderr))
                self.assertIn(str(self.dat), result.stderr)
                self.assertFalse(self.path.exists())
        self.assertGreater(nr_refused, 20)
        self.assertLessEqual(set(self.left()), {"trace.dat", "out.qtrace"})


if __name__ == "__main__":
    unittest.main()
