#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`quire sweep`: values, rows, threads, and being interrupted."""

import json
import signal
import subprocess
import time
import unittest

from program import QUIRE, run
from traces import REDIS, TraceTest, alloc, balanced

WSF = "watermark_scale_factor"


class Sweep(TraceTest):
    def setUp(self):
        super().setUp()
        self.machine(balanced() + "".join(alloc(5 + i / 100, 2048 + 3 * i, migratetype=i % 3) for i in range(100)))

    def sweep(self, *args, path=None):
        return self.good_json("sweep", "--quiet", *args, path or self.path, schema="quire-sweep")

    def values(self, text):
        return [row["value"] for row in self.sweep("--set", f"{WSF}={text}")["rows"]]

    def test_values(self):
        for text, values in (
            ("10..30:10", [10, 20, 30]),
            ("10..35:10", [10, 20, 30]),
            ("10..100:x2", [10, 20, 40, 80]),
            ("1..4:x1.1", [1, 2, 3, 4]),
            ("1..6:x1.5", [1, 2, 3, 5]),
            ("1..3000", [1, 429, 857, 1286, 1714, 2143, 2571, 3000]),
            ("1..3", [1, 2, 3]),
            ("7..7", [7]),
            ("9,3,5", [9, 3, 5]),
        ):
            self.assertEqual(self.values(text), [None, *values], text)

    def test_each_row_is_that_of_a_replay_with_these_settings(self):
        document = self.sweep("--set", "percpu_pagelist_high_fraction=8..64:x8", "--set", "min_free_kbytes=64", "--engine", "bitmap", "--engine", "list")
        self.assertEqual(document["settings"], {"min_free_kbytes": 64})
        self.assertEqual([(row["engine"], row["value"]) for row in document["rows"]], [(e, v) for e in ("bitmap", "list") for v in (None, 8, 64)])
        for row in document["rows"]:
            wanted = ("--set", f"percpu_pagelist_high_fraction={row['value']}") if row["value"] else ()
            one = self.replay("--engine", row["engine"], "--set", "min_free_kbytes=64", *wanted)
            self.assertEqual(row["free_2m"], one["end"]["free_2m"]["model"])
            self.assertEqual(row["free_pages"], one["end"]["free_pages"]["model"])
            self.assertEqual(row["least_free_2m"], one["least_free_2m"])
            self.assertEqual((row["zone_locks"], row["fallbacks"]), (one["zone_locks"], one["fallbacks"]["model"]))
        self.assertEqual(document["machine"], {"free_2m": 7, "free_pages": 3584, "fallbacks": 0})

    def test_threads_change_nothing(self):
        def rows(jobs):
            document = self.sweep("--set", "percpu_pagelist_high_fraction=0,8,16,64", "--jobs", jobs, path=REDIS)
            return [{name: value for name, value in row.items() if name != "seconds"} for row in document["rows"]]

        self.assertEqual(rows(1), rows(3))

    def test_report(self):
        for columns in (80, 120):
            text = self.good("sweep", "--quiet", "--set", f"{WSF}=10,3000", "--engine", "list", "--engine", "bitmap", self.path, env={"COLUMNS": str(columns)})
            self.assertLessEqual(max(map(len, text.splitlines())), columns)
            for engine in ("engine list", "engine bitmap"):
                self.assertIn(engine, text)
            self.assertEqual(text.count("as recorded"), 2)
            self.assertIn("The machine itself had 7 free 2 MiB blocks", text)

    def test_the_longest_bar_is_that_of_the_most(self):
        text = self.good("sweep", "--quiet", "--set", "percpu_pagelist_high_fraction=8,64", REDIS, env={"LC_ALL": "C"})
        bars = [line.count("#") for line in text.splitlines() if line[:11].strip() in ("8", "64")]
        self.assertEqual(bars[0], 0)
        self.assertGreaterEqual(bars[1], 10)

    def test_interrupted_prints_what_there_is(self):
        values = ",".join(str(1 + i) for i in range(250))
        sweep = subprocess.Popen(
            [QUIRE, "sweep", "--json", "--jobs", "1", "--quiet", "--set", f"{WSF}={values}", str(REDIS)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        time.sleep(3)
        sweep.send_signal(signal.SIGINT)
        out, err = sweep.communicate(timeout=50)
        self.assertEqual((sweep.returncode, err), (130, ""))
        document = json.loads(out)
        self.assertTrue(document["interrupted"])
        self.assertLess(len(document["rows"]), 251)
        self.assertEqual({row["events"] for row in document["rows"]} - {420423}, set())

    def test_wrong_usage(self):
        for value, text in (
            (f"{WSF}=30..10", "30..10 runs backwards"),
            (f"{WSF}=0..10", "takes 1 to 3000"),
            (f"{WSF}=1..9999:1000", "takes 1 to 3000"),
            (f"{WSF}=1..3000:1", "at most 256 values"),
            (f"{WSF}=1..x", "'x' is not a number"),
            (f"{WSF}=..5", "'' is not a number"),
            (f"{WSF}=1..5:0", "'0' is not a step"),
            (f"{WSF}=1..5:x1", "'x1' is not a factor"),
            (f"{WSF}=1..5:x", "'x' is not a factor"),
            (f"{WSF}=1,,2", "'' is not a number"),
            (f"{WSF}=1..99999999999999999999", "is not a number"),
            ("nonsense=1..2", "there is no tunable 'nonsense'"),
            ("watermark_scale_facto=1..2", f"did you mean '{WSF}'?"),
            ("lowmem_reserve_ratio=1..2", "cannot be set for a replay"),
            ("percpu_pagelist_high_fraction=7,8", "takes 0 or 8 to"),
        ):
            self.bad(2, text, "sweep", "--set", value, self.path)
        self.bad(2, "over which values?", "sweep", "--set", f"{WSF}=10", self.path)
        self.bad(2, "only one tunable has several values", "sweep", "--set", f"{WSF}=1,2", "--set", "min_free_kbytes=1,2", self.path)
        self.bad(2, "which .qtrace", "sweep", "--set", f"{WSF}=1,2")
        self.bad(2, "--jobs: '0'", "sweep", "--jobs", "0", self.path)
        self.bad(2, "'steam' is not one of", "sweep", "--engine", "steam", self.path)

    def test_bad_input(self):
        self.bad(3, "nowhere", "sweep", "--set", f"{WSF}=1,2", self.directory / "nowhere")
        data = bytearray(self.path.read_bytes())
        data[-200] ^= 1
        self.path.write_bytes(data)
        self.bad(3, "corrupt", "sweep", "--quiet", "--set", f"{WSF}=1,2", self.path)
        for verb in (["replay"], ["show", "map"], ["sweep", "--set", f"{WSF}=1,2"], ["info"]):  # each names the file, once
            result = run(*verb, self.path)
            self.assertEqual((result.returncode, result.stderr.count(self.path.name)), (3, 1), result.stderr)


if __name__ == "__main__":
    unittest.main()
