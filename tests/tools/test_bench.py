#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qr-bench: what its rows say, what it refuses, and that no contestant gives out a page twice."""

import ctypes.util
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

BENCH = os.environ.get("QR_BENCH", "build/qr-bench")
SOURCE = pathlib.Path(os.environ.get("QUIRE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
QUIRE = ["list", "bitmap"]
CPUS = ["list-cpus", "bitmap-cpus"]
LIBRARIES = [name for name in ("jemalloc", "mimalloc") if ctypes.util.find_library(name)]
ALL = [*QUIRE, *CPUS, "glibc", *LIBRARIES, "mmap"]
SMALL = ("--memory", "0.125", "--repeat", "1")


def run(*args):
    return subprocess.run([BENCH, *map(str, args)], capture_output=True, text=True, timeout=150)


class BenchTest(unittest.TestCase):
    maxDiff = None

    def rows(self, *args, stderr=""):
        """The rows of a run that went well, as JSON has them."""
        result = run(*args, "--json")
        self.assertEqual((result.returncode, result.stderr), (0, stderr), args)
        rows = json.loads(result.stdout)
        for row in rows:
            self.check_row(row)
        return rows

    def check_row(self, row):
        for name, kind in (("workload", str), ("contestant", str), ("machine", str), ("order", int), ("threads", int)):
            self.assertIsInstance(row[name], kind, row)
        for side in ("get", "put"):
            least, median, most = (row[f"{side}{part}_ns"] for part in ("_min", "", "_max"))
            self.assertLessEqual(least, median, row)
            self.assertLessEqual(median, most, row)
            # a page cannot be had in no time, nor in a second
            self.assertGreater(least, 0, row)
            self.assertLess(most, 1e9, row)
        self.assertEqual(row["failed_gets"], 0, row)

    def bad(self, text, *args, code=2):
        """qr-bench refuses, with one line that has this text."""
        result = run(*args)
        self.assertEqual((result.returncode, result.stdout), (code, ""), (args, result.stderr))
        self.assertRegex(result.stderr, r"\Aqr-bench: [^\n]*\n\Z", args)
        self.assertIn(text, result.stderr, args)


class Workloads(BenchTest):
    def verified(self, workload, threads, order):
        rows = self.rows(
            workload, "--threads", threads, "--order", order, "--verify", "--contestants", ",".join(ALL), *SMALL
        )
        self.assertEqual([row["contestant"] for row in rows], ALL)
        for row in rows:
            self.assertEqual((row["workload"], row["order"], row["threads"]), (workload, order, threads), row)
            self.assertEqual((row["repeat"], row["memory_gib"]), (1, 0.125), row)
            self.assertEqual("locks_per_operation" in row, row["contestant"] in QUIRE + CPUS, row)
            # half of an eighth of a GiB, at least once
            self.assertGreaterEqual(row["verified_blocks"], (1 << 14 >> order) // threads * threads, row)

    def test_pair_gives_nothing_out_twice(self):
        self.verified("pair", 1, 0)
        self.verified("pair", 2, 9)

    def test_bulk_gives_nothing_out_twice(self):
        self.verified("bulk", 3, 0)
        self.verified("bulk", 1, 4)

    def test_rand_gives_nothing_out_twice(self):
        self.verified("rand", 2, 0)
        self.verified("rand", 3, 3)

    def test_spread_of_several_turns(self):
        rows = self.rows("pair", "--memory", "0.0625", "--repeat", 4, "--contestants", "bitmap,list,bitmap")
        self.assertEqual([row["contestant"] for row in rows], ["bitmap", "list", "bitmap"])
        # four turns of a noisy thing are never alike
        self.assertTrue(any(row["get_min_ns"] < row["get_max_ns"] for row in rows), rows)

    def test_locks_are_counted(self):
        bulk, pair = (self.rows(w, "--contestants", "list", *SMALL)[0] for w in ("bulk", "pair"))
        self.assertGreater(bulk["locks_per_operation"], 1 / 2000)
        self.assertLess(bulk["locks_per_operation"], 1)
        self.assertLess(pair["locks_per_operation"], bulk["locks_per_operation"])
        self.assertLessEqual(bulk["waits_per_operation"], bulk["locks_per_operation"])

    def test_frag_counts_each_round(self):
        for workload, threads in (("frag", 1), ("frag", 2), ("frag-bulk", 1)):
            args = (workload, "--threads", threads, "--verify", "--contestants", ",".join(QUIRE), *SMALL)
            for row in self.rows(*args):
                counts = row["free_huge"]
                self.assertEqual(len(counts), 101, row)
                # half of the pages are in use: so of 64 blocks few are free at first, and never more than half
                self.assertLess(counts[0], 16, row)
                self.assertLessEqual(max(counts), 32, row)
                self.assertEqual((row["free_huge_min"], row["free_huge_max"]), (counts, counts))

    def test_who_cannot_count_says_so(self):
        cannot = "qr-bench: frag: mmap: cannot count free 2 MiB blocks\n"
        rows = self.rows("frag", "--contestants", "mmap,list", *SMALL, stderr=cannot)
        self.assertEqual([row["contestant"] for row in rows], ["list"])

    def test_init(self):
        no_pool = "qr-bench: init: glibc: has no pool to be made\n"
        rows = self.rows("init", "--contestants", "list,bitmap,glibc", *SMALL, stderr=no_pool)
        self.assertEqual([row["contestant"] for row in rows], QUIRE)

    def test_contention_by_thread_count(self):
        rows = self.rows("contention", "--threads", 3, *SMALL)
        told = [(row["pattern"], row["threads"], row["contestant"]) for row in rows]
        expected = [(p, n, who) for p in ("pair", "bulk") for n in (1, 2, 3) for who in QUIRE + CPUS]
        self.assertEqual(told, expected)
        for row in rows:
            self.assertEqual(row["workload"], "contention")
            self.assertGreaterEqual(row["locks_per_operation"], row["waits_per_operation"], row)
        # one thread alone waits for nobody
        self.assertEqual({row["waits_per_operation"] for row in rows if row["threads"] == 1}, {0})

    def test_nobody_took_part(self):
        result = run("init", "--contestants", "mmap", "--json")
        self.assertEqual((result.returncode, json.loads(result.stdout)), (1, []))

    def test_lines(self):
        result = run("bulk", "--contestants", "bitmap,mmap", *SMALL)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        machine, what, *rows = result.stdout.splitlines()
        self.assertIn("Quire", machine)
        self.assertEqual(what, "0.125 GiB, median of 1 turns (least..most)")
        number = r" +\d+\.\d ns \(\d+\.\d\.\.\d+\.\d\) *"
        self.assertRegex(rows[0], rf"^bulk +bitmap +order  0 threads   1  get{number}  put{number}  locks/op 0\.\d+")
        self.assertRegex(rows[1], rf"^bulk +mmap +order  0 threads   1  get{number}  put{number}$")

    def test_libraries_are_what_they_are_called(self):
        if not LIBRARIES:
            self.skipTest("neither jemalloc nor mimalloc is installed")
        rows = self.rows("pair", "--contestants", ",".join(LIBRARIES), *SMALL)
        versions = {row["contestant"]: row["version"] for row in rows}
        self.assertEqual(sorted(versions), LIBRARIES)
        for version in versions.values():
            self.assertRegex(version, r"^\d+\.\d+\.\d+")


class Refusals(BenchTest):
    def test_options(self):
        self.bad("there is none of this name", "fast")
        self.bad("not a number from 1 to 256", "pair", "--threads", "0")
        self.bad("not a number from 1 to 256", "pair", "--threads", "1x")
        self.bad("not a number from 0 to 10", "pair", "--order", "11")
        self.bad("not a number from 0 to 10", "pair", "--order", "-1")
        self.bad("not a number from 1 to 100", "pair", "--repeat", "0")
        self.bad("not a number of GiB", "pair", "--memory", "lots")
        self.bad("not a number of GiB", "pair", "--memory", "0")
        self.bad("not a number of GiB", "pair", "--memory", "nan")
        self.bad("value is missing", "pair", "--order")
        self.bad("option '--colour': there is none", "pair", "--colour", "red")
        self.bad("argument 'bulk'", "pair", "bulk")
        self.bad("it is about single pages", "frag", "--order", "1")
        self.bad("not one block of this order for each thread", "pair", *SMALL, "--order", "10", "--threads", "17")

    def test_contestants(self):
        self.bad("contestant 'nobody': there is none", "pair", "--contestants", "list,nobody")
        self.bad("contestant '': there is none", "pair", "--contestants", "")
        self.bad("cannot open shared object", "pair", "--contestants", "./nowhere.so")
        self.bad("too many", "pair", "--contestants", ",".join(["list"] * 17))

    def test_help(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for word in ["pair", "bulk", "rand", "frag", "init", "contention", *QUIRE, *CPUS, "glibc", "jemalloc", "mmap"]:
            self.assertRegex(result.stdout, rf"(?m)^  {word}\s")
        for option in ("threads", "order", "memory", "repeat", "contestants", "json", "verify"):
            self.assertIn(f"  --{option} ", result.stdout)
        self.assertEqual(run().returncode, 2)


PLUGIN = """
#include "contestant.h"
#include <stdatomic.h>
static char room[1 << 28] __attribute__((aligned(4096)));
static atomic_size_t next;
static void *mine_open(uint64_t bytes, unsigned threads) { next = 0; return room; }
static void mine_close(void *pool) { }
static void *mine_get(void *pool, unsigned order)
{
	size_t at = atomic_fetch_add(&next, (size_t)4096 << order);
	return room + at % sizeof(room) GET;
}
static void mine_put(void *pool, void *pages, unsigned order) { }
static const char *mine_version(void *pool) { return "9.8"; }
const struct contestant contestant_plugin = {
	.size = SIZE, .name = "mine", .what = "goes round", .open = mine_open, .close = mine_close,
	.get = mine_get, .put = PUT, .version = mine_version,
};
"""


# Looks at what the workload does with it; what is wrong with that, is its complaint.
WITNESS = """
#define _GNU_SOURCE
#include "contestant.h"
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
enum { MOST = 1 << 22 };
static char room[1 << 28] __attribute__((aligned(1 << 22)));
static size_t stack[MOST], next, depth, deepest;
static size_t in_reverse, not_in_reverse, at_once;
static atomic_uint threads_seen, unpinned;
static int last_was_get;
static void *witness_open(uint64_t bytes, unsigned threads) { return room; }
static void witness_close(void *pool) { }
static void witness_enter(void *pool, unsigned thread)
{
	cpu_set_t set;
	sched_getaffinity(0, sizeof(set), &set);
	atomic_fetch_or(&threads_seen, 1u << thread);
	if (CPU_COUNT(&set) != 1)
		atomic_fetch_add(&unpinned, 1);
}
static void *witness_get(void *pool, unsigned order)
{
	size_t at = next++ % (sizeof(room) >> 12);
	stack[depth++] = at;
	if (depth > deepest)
		deepest = depth;
	last_was_get = 1;
	return room + (at << 12);
}
static void witness_put(void *pool, void *pages, unsigned order)
{
	size_t at = (size_t)((char *)pages - room) >> 12, i;
	if (stack[depth - 1] == at) {
		in_reverse++;
		at_once += last_was_get;
	} else {
		not_in_reverse++;
		for (i = depth; i-- > 0 && stack[i] != at;)
			;
		stack[i] = stack[depth - 1];
	}
	depth--;
	last_was_get = 0;
}
static void *any_get(void *pool, unsigned order) { return pool; }
static void any_put(void *pool, void *pages, unsigned order) { }
static const char *witness_complaint(void *pool) { return (EXPECT) ? NULL : "not as it should be"; }
const struct contestant contestant_plugin = {
	.size = sizeof(struct contestant), .name = "witness", .what = "looks on", .open = witness_open,
	.close = witness_close, .get = WITNESS_GET, .put = WITNESS_PUT, .enter = witness_enter,
	.complaint = witness_complaint,
};
"""

# A get takes 100 ns in the first turn, and ten times as long in each that follows; a put takes nothing.
SLOW = """
#include "contestant.h"
#include <time.h>
static char page[4096];
static long ns = 10;
static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}
static void *slow_open(uint64_t bytes, unsigned threads) { ns *= 10; return page; }
static void slow_close(void *pool) { }
static void *slow_get(void *pool, unsigned order)
{
	for (long start = now(); now() - start < ns;)
		;
	return pool;
}
static void slow_put(void *pool, void *pages, unsigned order) { }
const struct contestant contestant_plugin = {
	.size = sizeof(struct contestant), .name = "slow", .what = "takes its time", .open = slow_open,
	.close = slow_close, .get = slow_get, .put = slow_put,
};
"""


class Plugins(BenchTest):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def plugin(self, text=PLUGIN, **macros):
        """Compiled as contestant.h says."""
        folder = pathlib.Path(self.folder.name)
        macros = {"GET": "", "PUT": "mine_put", "SIZE": "sizeof(struct contestant)", **macros}
        (folder / "mine.c").write_text(text)
        subprocess.run(
            [*shlex.split(os.environ.get("CC", "cc")), "-O1", "-shared", "-fPIC", "-I", SOURCE / "bench"]
            + [f"-D{name}={value}" for name, value in macros.items()]
            + ["-o", folder / "mine.so", folder / "mine.c"],
            check=True,
        )
        return folder / "mine.so"

    def witness(self, expect, workload, *args, memory="0.015625"):
        """The workload treats a contestant as expected, an expression in C."""
        names = {"WITNESS_GET": "witness_get", "WITNESS_PUT": "witness_put"}
        plugin = self.plugin(WITNESS, EXPECT=expect, **names)
        self.rows(workload, "--repeat", 1, "--memory", memory, "--contestants", plugin, *args)

    def test_pair_puts_back_at_once(self):
        # of 4096 pages half are held all the time, and 8 more in the short rows
        self.witness("deepest == 2048 + 8 && not_in_reverse == 0 && at_once > 4096 && depth == 0", "pair")

    def test_bulk_goes_in_reverse(self):
        self.witness("deepest == 2048 && in_reverse >= 131072 && not_in_reverse == 0 && depth == 0", "bulk")

    def test_rand_goes_in_any_order(self):
        self.witness("deepest == 2048 && not_in_reverse > 9 * in_reverse && depth == 0", "rand")

    def test_order_shrinks_the_share(self):
        self.witness("deepest == 2 && depth == 0", "bulk", "--order", 10)

    def test_threads_are_numbered_and_pinned(self):
        plugin = self.plugin(
            WITNESS, WITNESS_GET="any_get", WITNESS_PUT="any_put", EXPECT="threads_seen==7&&unpinned==0"
        )
        self.rows("pair", "--threads", 3, "--repeat", 1, "--memory", "0.015625", "--contestants", plugin)

    def test_complaints_leave_a_row_out(self):
        plugin = self.plugin(WITNESS, WITNESS_GET="witness_get", WITNESS_PUT="witness_put", EXPECT=0)
        result = run("pair", "--contestants", plugin, "--json", *SMALL)
        self.assertEqual((result.returncode, json.loads(result.stdout)), (1, []))
        self.assertEqual(result.stderr, "qr-bench: pair: witness: not as it should be\n")

    def test_times_are_those_of_gets_and_puts(self):
        for workload in ("pair", "bulk"):
            row = self.rows(workload, "--memory", "0.015625", "--repeat", 3, "--contestants", self.plugin(SLOW))[0]
            # a busy machine makes it longer, and nothing makes it much shorter
            self.assertGreater(row["get_min_ns"], 90, row)
            self.assertGreater(row["get_ns"], 900, row)
            self.assertGreater(row["get_max_ns"], 9000, row)
            self.assertLess(row["put_min_ns"], row["get_ns"] / 4, row)

    def test_takes_part(self):
        rows = self.rows("pair", "--contestants", f"list,{self.plugin()}", *SMALL)
        self.assertEqual([row["contestant"] for row in rows], ["list", "mine"])
        self.assertEqual(rows[1]["version"], "9.8")

    def test_of_an_older_header(self):
        rows = self.rows(
            "pair", "--contestants", self.plugin(SIZE="offsetof(struct contestant,version)"), *SMALL
        )
        self.assertNotIn("version", rows[0])

    def test_what_is_none(self):
        self.bad("defines no contestant_plugin", "pair", "--contestants", self.plugin(text="int x;"))

    def test_incomplete(self):
        self.bad("the size in its contestant_plugin", "pair", "--contestants", self.plugin(SIZE=1))
        self.bad("lacks a name, a description or a function", "pair", "--contestants", self.plugin(PUT=0))

    def broken(self, text, *args):
        result = run("bulk", *args, "--verify", "--json", *SMALL)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(text, result.stderr)

    def test_broken_ones_are_found(self):
        # in the second round it comes by again, without having been given anything back: put() does nothing
        self.assertEqual(run("bulk", "--contestants", self.plugin(), "--verify", *SMALL).returncode, 0)
        self.broken("mine: not aligned to its size", "--contestants", self.plugin(GET="+2048"))
        self.broken("mine: given out twice", "--contestants", self.plugin(GET="/8192*8192"))
        self.broken("nothing: ", "--contestants", "nothing")


if __name__ == "__main__":
    unittest.main(verbosity=1)
