#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Short runs of `quire stress`: that they work, what they report, and that Ctrl-C ends them in good order."""

import json
import signal
import subprocess
import time
import unittest

from program import MACHINES, QUIRE, ProgramTest, run


class Stress(ProgramTest):
    def stress(self, *args):
        document = self.good_json("stress", "--quiet", *args, schema="quire-stress")
        self.assertEqual((document["faults"], document["fault_texts"]), (0, []), document)
        self.assertEqual(document["allocator"]["bad_pages"], 0)
        self.assertFalse(document["interrupted"])
        self.assertGreater(document["operations"], 1000)
        self.assertGreaterEqual(document["checks"], 1)
        return document

    def test_two_seconds_of_everything(self):
        document = self.stress("--seconds", "2", "--memory", "64M", "--threads", "4", "--poison", "--seed", "7")
        self.assertEqual((document["threads"], document["seed"], document["managed_pages"]), (4, 7, 16384))
        self.assertGreaterEqual(document["seconds"], 2)
        # All that the run is meant to reach was reached.
        for name in ("bulk", "exact", "split", "passed_on", "verified_bytes", "failed"):
            self.assertGreater(document[name], 0, name)
        allocator = document["allocator"]
        for name in ("pcp_hits", "pcp_refills", "pcp_drains", "slowpath", "direct_reclaim", "pages_reclaimed", "fallbacks"):
            self.assertGreater(allocator[name], 0, name)
        self.assertEqual([row["order"] for row in document["orders"]], list(range(10)))
        self.assertTrue(all(row["allocated"] > 0 for row in document["orders"]), document["orders"])
        self.assertEqual(document["allocated"], sum(row["allocated"] for row in document["orders"]))

    def test_machines_without_contents(self):
        for name, engine in (
            ("tiny", "list"),
            ("tiny", "bitmap"),
            ("numa-4-memoryless", "list"),
            ("highmem-32bit", "bitmap"),
            ("kernelcore", "list"),
        ):
            with self.subTest(name):
                path = MACHINES / f"{name}.machine"
                document = self.stress(
                    "--seconds", "0.5", "--threads", "3", "--backing", "none", "--engine", engine, path
                )
                self.assertEqual(document["verified_bytes"], 0)

    def test_hardly_any_memory(self):
        """Two pages, both below the watermark: nothing can be had, and nothing waits for it."""
        text = "ram 0x7fe000 size 8K\ncpus 1\n"
        document = self.good_json("stress", "--seconds", "0.3", "--quiet", "-", schema="quire-stress", stdin=text)
        self.assertEqual((document["faults"], document["managed_pages"]), (0, 2))

    def test_options(self):
        for option in ("shuffle", "init_on_alloc", "init_on_free", "check_pages", "page_owner", "no_huge_pcp"):
            with self.subTest(option):
                self.stress("--seconds", "0.3", "--memory", "32M", "--threads", "2", "--option", option)

    def test_orders(self):
        document = self.stress("--seconds", "0.3", "--memory", "64M", "--orders", "2-4")
        self.assertEqual([row["order"] for row in document["orders"]], [2, 3, 4])

    def test_text(self):
        text = self.good("stress", "--seconds", "0.3", "--memory", "32M", "--quiet", "--seed", "5")
        self.assertIn("seed 5\n", text)
        self.assertIn("all 8 192 pages are accounted for\n", text)
        self.assertTrue(text.endswith("no fault found\n"), text)

    def test_more_memory_than_there_is(self):
        self.bad(4, "try less with --memory, or --backing none", "stress", "--memory", "1024T")

    def test_interrupt(self):
        process = subprocess.Popen(
            [QUIRE, "stress", "--seconds", "40", "--memory", "32M", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, err), (130, ""))
        document = json.loads(out)
        self.assertTrue(document["interrupted"])
        self.assertEqual(document["faults"], 0)

    def test_progress_lines(self):
        result = run("stress", "--seconds", "5.5", "--memory", "16M", "--threads", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertRegex(lines[0], r"^5 of 6 s  \w+ +[\d.]+ [kM]? ?operations/s +\d+ % free  1 threads$")


if __name__ == "__main__":
    unittest.main()
