#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Traces: `quire import`, `info`, `replay` and `record`, with good files and with bad ones."""

import gzip
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import unittest
import zlib

from program import QUIRE, run, run_uncounted
from traces import (
    FREE_PAGE,
    HEAD,
    NR_FRAMES,
    NR_USED,
    REDIS,
    TRACEFS,
    TraceTest,
    USER_PAGE,
    alloc,
    balanced,
    event,
    file_of,
    free,
    pagetypeinfo,
    with_file,
    write_state,
    zoneinfo,
)


class Importing(TraceTest):
    def test_perf_script(self):
        document = self.importing(balanced())
        self.assertEqual((document["events"], document["lines"], document["unread"]), (130, 130, 0))
        kinds = self.info()["kinds"]
        self.assertEqual((kinds["mm_page_alloc"], kinds["mm_page_free"]), (65, 65))

    def test_all_kinds_and_what_is_none_of_ours(self):
        text = (
            "# a comment\n\n" + alloc(1, 5)
            + "  x 1 [001] 1.5: kmem:mm_page_alloc_extfrag: page=0x8 pfn=0x8 alloc_order=0 fallback_order=9 pageblock_order=9 "
            "alloc_migratetype=1 fallback_migratetype=0 fragmenting=1 change_ownership=1\n"
            "  x 1 [001] 1.6: kmem:mm_page_pcpu_drain: page=0x8 pfn=0x8 order=0 migratetype=1\n"
            "  x 1 [001] 1.7: kmem:mm_page_free_batched: page=0x8 pfn=0x8 order=0\n"
            "  x 1 [001] 1.8: sched:sched_switch: prev_comm=x prev_pid=1\n"
            "  x 1 [001] 1.9: kmem:kfree: call_site=0 ptr=0x0\n" + free(2, 5)
        )
        document = self.importing(text)
        self.assertEqual((document["events"], document["skipped"], document["unread"]), (5, 4, 0))
        self.assertEqual(
            self.info()["kinds"],
            {"mm_page_alloc": 1, "mm_page_free": 1, "mm_page_free_batched": 1, "mm_page_alloc_extfrag": 1, "mm_page_pcpu_drain": 1},
        )

    def test_ftrace_lines(self):
        text = (
            "           <...>-1234    [001] d..2.  100.000001: mm_page_alloc: page=00000000f5c0ffee pfn=0x10 order=0 "
            "migratetype=1 gfp_flags=GFP_KERNEL\n"
            "     kworker/0:1-9       [000] ..... 100.000002: mm_page_free: page=00000000f5c0ffee pfn=16 order=0\n"
        )
        document = self.importing(text)
        self.assertEqual((document["events"], document["unread"]), (2, 0))
        info = self.info()
        self.assertEqual((info["first_ns"], info["last_ns"], info["tasks"]), (100000001000, 100000002000, 2))

    def test_names_of_tasks_with_blanks_and_brackets(self):
        names = ("a b c", "x [y] z", "[kworker/0:1]", "1 2 [003] 4", "Web Content")
        document = self.importing("".join(alloc(1, 5 + i, comm=name, pid=100 + i) for i, name in enumerate(names)))
        self.assertEqual((document["events"], document["unread"]), (len(names), 0))
        self.assertEqual(self.info()["tasks"], len(names))

    def test_what_is_not_understood_is_counted_and_the_first_is_quoted(self):
        text = alloc(1, 5) + "what is this\nand this\n" + "x 1 [000] 2.0: kmem:mm_page_alloc: page=0x1 order=0\n" + free(3, 5)
        result = run("import", "-o", self.path, stdin=text)
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"warning: 3 lines were not understood, the first is line 2: what is this\n")

    def test_lost_events(self):
        for line in (
            "CPU:1 [LOST 12 EVENTS]",
            "CPU:1 [12 EVENTS DROPPED]",
            "  swapper 0 [000] 1.5: PERF_RECORD_LOST lost 12",
        ):
            result = run("import", "-o", self.path, "--force", stdin=alloc(1, 5) + line + "\n" + free(3, 5))
            self.assertEqual(result.returncode, 0, line)
            self.assertIn("the recorder lost 12 events", result.stderr)
            self.assertNotIn("not understood", result.stderr)
            self.assertEqual(self.info()["lost"], 12)

    def test_failed_allocation(self):
        for page in ("(nil)", "(null)", "0000000000000000", "0x0"):
            line = f"x 1 [000] 1.0: kmem:mm_page_alloc: page={page} pfn=0x0 order=9 migratetype=1 gfp_flags=GFP_KERNEL\n"
            self.machine(line + balanced())
            self.assertEqual(sum(self.replay()["unplaced"].values()), 0, page)

    def test_unknown_gfp_flag_is_named(self):
        result = run("import", "-o", self.path, stdin=alloc(1, 5, gfp_flags="GFP_KERNEL|__GFP_FROM_THE_FUTURE"))
        self.assertEqual(result.returncode, 0)
        self.assertIn("__GFP_FROM_THE_FUTURE", result.stderr)

    def test_time_running_backwards_is_warned_of(self):
        result = run("import", "-o", self.path, stdin=alloc(5, 5) + free(4, 5) + alloc(6, 5))
        self.assertEqual(result.returncode, 0)
        self.assertIn("time runs backwards at 1 events", result.stderr)
        self.assertEqual(self.info()["events"], 3)

    def test_times_of_any_precision(self):
        self.importing("x 1 [0] 7.5: mm_page_free: pfn=1 order=0\nx 1 [0] 8.123456789: mm_page_free: pfn=2 order=0\n")
        info = self.info()
        self.assertEqual((info["first_ns"], info["last_ns"]), (7500000000, 8123456789))

    def packed(self):
        """The same text, packed in the ways there are; gzip in two members, as cat makes of two files."""
        text = balanced().encode()
        ways = {"gzip": gzip.compress(text[:5000]) + gzip.compress(text[5000:])}
        if shutil.which("zstd"):
            ways["zstd"] = subprocess.run(["zstd", "-qc"], input=text, stdout=subprocess.PIPE, check=True).stdout
        return ways

    def test_packed_text(self):
        self.importing(balanced())
        wanted = self.path.read_bytes()
        for how, data in self.packed().items():
            source, cut = self.directory / "events", self.directory / "cut"
            source.write_bytes(data)
            document = self.good_json("import", "-o", self.path, "--force", source, schema="quire-import")
            self.assertEqual(document["events"], 130, how)
            self.assertEqual(self.path.read_bytes(), wanted, how)
            piped = subprocess.run([QUIRE, "import", "-o", self.directory / "p.qtrace", "--force"], input=data, capture_output=True)
            self.assertEqual((piped.returncode, piped.stderr), (0, b""), how)
            self.assertEqual((self.directory / "p.qtrace").read_bytes(), wanted, how)
            for end in (-1, -20, 20):
                cut.write_bytes(data[:end])
                self.bad(3, "cut off or damaged", "import", "-o", self.directory / "c.qtrace", cut)
            damaged = bytearray(data)
            damaged[len(data) // 2] ^= 0xFF
            cut.write_bytes(damaged)
            result = run("import", "-o", self.directory / "c.qtrace", cut)
            self.assertEqual(result.returncode, 3, (how, result.stderr))
            self.assertFalse((self.directory / "c.qtrace").exists(), how)

    def test_packed_state(self):
        state = self.directory / "state"
        self.machine(balanced())
        wanted = self.path.read_bytes()
        for path in list(state.iterdir()):
            (state / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        self.importing(balanced(), "--state", state)
        self.assertEqual(self.path.read_bytes(), wanted)
        whole = (state / "zoneinfo.before.gz").read_bytes()
        (state / "zoneinfo.before.gz").write_bytes(whole[:-8])
        self.bad(3, "zoneinfo.before.gz: what is packed in it is cut off", "import", "-o", self.directory / "c.qtrace", "--state", state, stdin=balanced())

    def test_what_cannot_be_imported_leaves_nothing(self):
        self.bad(3, "no page event", "import", "-o", self.path, stdin="")
        self.bad(3, "no page event", "import", "-o", self.path, stdin="nothing of ours\n")
        self.bad(3, "nowhere", "import", "-o", self.path, self.directory / "nowhere")
        self.bad(3, "nowhere", "import", "-o", self.path, "--state", self.directory / "nowhere", stdin=balanced())
        self.bad(4, "cannot be created", "import", "-o", self.directory / "no" / "where", stdin=balanced())
        self.assertEqual(self.left(), [])

    def test_full_disk_leaves_nothing(self):
        noise = random.Random(3)
        text = "".join(alloc(1 + i / 1e4, noise.randrange(1 << 24), cpu=noise.randrange(64), pid=i) for i in range(3000))
        result = run_uncounted(
            [QUIRE, "import", "-o", self.path],
            input=text,
            restore_signals=False,  # the limit below must not kill
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn("cannot write", result.stderr)
        self.assertEqual(self.left(), [])

    def test_existing_file_is_refused_and_stays(self):
        self.path.write_text("precious")
        self.bad(4, "--force", "import", "-o", self.path, stdin=balanced())
        self.assertEqual(self.path.read_text(), "precious")
        self.bad(3, "no page event", "import", "-o", self.path, "--force", stdin="")
        self.assertEqual(self.path.read_text(), "precious")
        self.good("import", "-o", self.path, "--force", stdin=balanced())
        self.assertEqual(self.info()["events"], 130)


class Replaying(TraceTest):
    def test_balanced_trace_ends_as_it_began(self):
        self.machine(balanced())
        for engine in ("list", "bitmap"):
            document = self.replay("--engine", engine)
            self.assertEqual(document["events"], 130)
            self.assertEqual(sum(document["unplaced"].values()), 0)
            end = document["end"]
            self.assertEqual(end["free_pages"]["model"] + end["pcp_pages"]["model"], NR_FRAMES - NR_USED)
            self.assertEqual(end["free_pages"]["machine"], NR_FRAMES - NR_USED)
            self.assertEqual(document["start"]["free_pages"], {"model": NR_FRAMES - NR_USED, "machine": NR_FRAMES - NR_USED})
            self.assertEqual(document["start"]["free_2m"], {"model": 7, "machine": 7})

    def test_the_least_is_that_of_any_time(self):
        self.machine(balanced())
        document = self.replay()
        least = min(sample["free_2m"] for sample in document["series"])
        self.assertLess(least, document["end"]["free_2m"]["model"])
        self.assertEqual(document["least_free_2m"], least)

    def test_what_stays_allocated_is_missing_at_the_end(self):
        self.machine(balanced() + "".join(alloc(5 + i / 100, 2048 + 512 * i, order=9) for i in range(3)) + alloc(6, 700))
        end = self.replay()["end"]
        self.assertEqual(end["free_pages"]["model"] + end["pcp_pages"]["model"], NR_FRAMES - NR_USED - 3 * 512 - 1)
        self.assertEqual(end["free_2m"]["model"], 3)

    def test_what_was_in_use_at_the_start_can_be_freed(self):
        self.machine("".join(free(1 + i / 1000, i) for i in range(NR_USED)))
        document = self.replay()
        self.assertEqual(sum(document["unplaced"].values()), 0)
        self.assertEqual(document["end"]["free_pages"]["model"] + document["end"]["pcp_pages"]["model"], NR_FRAMES)

    def test_json(self):
        self.machine(balanced())
        document = self.replay("--engine", "list", "--engine", "bitmap")
        for name in ("events", "events_per_second"):
            self.assertGreater(document[name], 0)
        self.assertEqual({type(n) for n in document["unplaced"].values()}, {int})
        for name in ("free_pages", "free_2m"):
            self.assertEqual(set(document["end"][name]), {"model", "machine"})
        rows = document["end"]["orders"]
        self.assertEqual([row["order"] for row in rows], list(range(11)))
        self.assertEqual({row["zone"] for row in rows}, {"Normal"})
        self.assertEqual([row["machine"] for row in rows], [0] * 9 + [1, 3])
        self.assertEqual([row["kpageflags"] for row in rows], [0] * 9 + [1, 3])
        self.assertEqual(sum(row["model"] << row["order"] for row in rows), document["end"]["free_pages"]["model"])
        times = [sample["time"] for sample in document["series"]]
        self.assertEqual((times[0], times), (0, sorted(times)))
        self.assertTrue(all({"free_pages", "free_2m"} <= set(sample) for sample in document["series"]))
        self.assertEqual(document["series"][-1]["free_pages"], document["end"]["free_pages"]["model"])
        self.assertEqual([one["engine"] for one in document["runs"]], ["list", "bitmap"])

    def test_json_names_that_others_rely_on(self):
        """What the manual page promises, with its types, on a real recording: these names stay."""
        document = self.replay(path=REDIS)
        self.assertEqual(document["version"], 1)
        self.assertIs(type(document["events"]), int)
        self.assertIs(type(document["events_per_second"]), float)
        self.assertTrue(document["unplaced"])
        self.assertEqual({(type(cause), type(nr)) for cause, nr in document["unplaced"].items()}, {(str, int)})
        for name in ("free_pages", "free_2m"):
            self.assertEqual({key: type(value) for key, value in document["end"][name].items()}, {"model": int, "machine": int})
        rows = document["end"]["orders"]
        self.assertEqual({(row["zone"], row["order"]) for row in rows}, {(zone, order) for zone in ("DMA", "DMA32", "Normal") for order in range(11)})
        self.assertEqual({type(row[name]) for row in rows for name in ("order", "model", "machine")}, {int})
        for who in ("model", "machine"):
            self.assertEqual(sum(row[who] << row["order"] for row in rows), document["end"]["free_pages"][who])
            self.assertEqual(sum(row[who] << row["order"] - 9 for row in rows if row["order"] >= 9), document["end"]["free_2m"][who])
        series = document["series"]
        self.assertGreater(len(series), 100)
        self.assertEqual({(type(s["time"]), type(s["free_pages"]), type(s["free_2m"])) for s in series}, {(float, int, int)})
        self.assertEqual(series[-1]["free_2m"], document["end"]["free_2m"]["model"])

    def test_bundled_trace(self):
        document = self.replay("--engine", "list", "--engine", "bitmap", path=REDIS)
        self.assertEqual(document["events"], 420423)
        for one in document["runs"]:
            pages, huge, waiting = (one["end"][name] for name in ("free_pages", "free_2m", "pcp_pages"))
            free = {who: pages[who] + waiting[who] for who in ("model", "machine")}
            self.assertLess(abs(free["model"] / free["machine"] - 1), 0.02, one["engine"])
            if one["engine"] == "list":
                self.assertLess(abs(huge["model"] / huge["machine"] - 1), 0.05)
                self.assertLess(abs(pages["model"] / pages["machine"] - 1), 0.02)
            else:
                # magazines keep far fewer pages from the zone, which makes huge ones of them
                self.assertLess(waiting["model"], waiting["machine"] / 2)
                self.assertGreaterEqual(huge["model"], huge["machine"])
            self.assertLess(sum(one["unplaced"].values()), 100)
            self.assertLess(abs(one["books"]["rest"]), 64, one["books"])
        fallbacks = document["fallbacks"]
        self.assertLess(abs(fallbacks["model"] - fallbacks["machine"]), 10)

    def test_events_that_cannot_be_placed_are_counted_by_cause(self):
        self.machine(
            alloc(1, 1 << 30) + free(2, 1 << 31) + free(3, 0) + free(3.5, 0) + alloc(4, 700) + alloc(5, 700) + alloc(6, 800, order=15) + alloc(7, NR_FRAMES - 1, order=3)
        )
        self.assertEqual(
            {cause: nr for cause, nr in self.replay()["unplaced"].items() if nr},
            {"alloc_outside": 2, "free_outside": 1, "free_unknown": 1, "alloc_twice": 1, "bad_order": 1},
        )

    def test_a_block_of_which_a_part_is_in_use(self):
        self.machine(alloc(1, 1024) + alloc(1.5, 1025) + free(2, 1025) + free(3, 1024, order=1))
        document = self.replay()
        self.assertEqual({cause: nr for cause, nr in document["unplaced"].items() if nr}, {"free_partly": 1})
        self.assertEqual(document["books"]["unplaced"], -1)

    def test_taken_between_snapshot_and_first_event(self):
        """What an event frees was not free, whatever the snapshot says; but a cache may just pass on what is."""
        drained = event("mm_page_pcpu_drain", 2, 700, migratetype=1)
        self.machine(free(1, 600) + drained + free(3, 1024, order=9))
        document = self.replay()
        self.assertEqual(sum(document["unplaced"].values()), 0)
        self.assertEqual(document["start"]["free_pages"]["model"], NR_FRAMES - NR_USED - 1 - 512)
        end = document["end"]
        self.assertEqual(end["free_pages"]["model"] + end["pcp_pages"]["model"], NR_FRAMES - NR_USED)

    def test_machine_by_kpageflags(self):
        """Free frames 512..4095 but for a few: the blocks that alignment allows."""
        flags = [USER_PAGE] * NR_USED + [FREE_PAGE] * (NR_FRAMES - NR_USED)
        for pfn in (513, 2048, NR_FRAMES - 1):
            flags[pfn] = USER_PAGE
        self.machine(balanced(), kpageflags_after=struct.pack(f"<{NR_FRAMES}Q", *flags))
        rows = self.replay()["end"]["orders"]
        # 512; 514.., 1024..2047, 2049.. without its first, 3072.. without its last
        self.assertEqual([row["kpageflags"] for row in rows], [1 + 0 + 1 + 1, 1 + 1 + 1, 3, 3, 3, 3, 3, 3, 3, 2, 1])
        self.assertEqual([row["machine"] for row in rows], [0] * 9 + [1, 3])
        self.assertIn("kpageflags", self.good("replay", "--quiet", self.path))

    def test_caches_start_as_large_and_full_as_they_were(self):
        unknown = [USER_PAGE] * (NR_USED - 100) + [0] * 100 + [FREE_PAGE] * (NR_FRAMES - NR_USED)
        info = zoneinfo(NR_FRAMES - NR_USED).replace("count: 0", "count: 50").replace("high: 8", "high: 60")
        flags = struct.pack(f"<{NR_FRAMES}Q", *unknown)
        events = alloc(1, NR_USED - 1, cpu=1) + free(2, NR_USED - 1, cpu=1)
        self.machine(events, kpageflags_before=flags, kpageflags_after=flags, zoneinfo_before=info)
        document = self.replay()
        cached = document["start"]["cached"]
        self.assertEqual((cached["machine"], cached["known"], cached["guessed"], cached["no_room"]), (100, 1, 99, 0))
        self.assertEqual(document["end"]["pcp_pages"]["model"], 100)
        self.assertEqual(document["end"]["free_pages"]["model"], NR_FRAMES - NR_USED)
        self.assertEqual(document["books"]["unfound"], 0)

    def test_what_the_recorder_had(self):
        vmstat = {f"vmstat_{when}": f"pgalloc_normal {1000 + 70 * nr}\npgfree {900 + 65 * nr}\n" for nr, when in enumerate(("before", "after"))}
        state = self.directory / "state"
        state.mkdir()
        write_state(state, **vmstat)
        self.importing(balanced(), "--state", state, "--recorder-pages", 1000)
        document = self.replay()
        self.assertEqual(document["recorder"], {"buffer_pages": 1000, "outside_pages": 5, "outside_large": 0, "passing_pages": 0})
        self.assertEqual(document["start"]["free_pages"]["model"], NR_FRAMES - NR_USED)
        self.assertLessEqual(document["series"][0]["free_pages"], NR_FRAMES - NR_USED - 1000)
        end, books = document["end"], document["books"]
        self.assertEqual(end["free_pages"]["model"] + end["pcp_pages"]["model"], NR_FRAMES - NR_USED - 5)
        self.assertEqual((books["outside"], books["outside_known"], books["unplaced"]), (0, True, 0))
        self.assertEqual(books["rest"], -5)  # this machine has lost nothing, whatever its counters say
        self.assertEqual(books["difference"], end["free_pages"]["model"] - end["free_pages"]["machine"])
        self.assertEqual(books["difference"], sum(books[row] for row in ("waiting", "unfound", "between", "unplaced", "outside", "rest")))
        self.importing(balanced(), "--state", state, "--recorder-pages", NR_FRAMES)
        self.bad(3, "recorder: 4096 pages are said to have been taken", "replay", self.path)

    def test_large_blocks_that_no_event_tells_of(self):
        # A file of two large blocks is there afterwards.  A third is larger than all that was taken, so it cannot be one.
        def flags(*blocks):
            words = [USER_PAGE] * NR_USED + [FREE_PAGE] * (NR_FRAMES - NR_USED)
            for start, order in blocks:
                words[start] = 1 << 5 | 1 << 15
                words[start + 1 : start + (1 << order)] = [1 << 5 | 1 << 16] * ((1 << order) - 1)
            return struct.pack(f"<{NR_FRAMES}Q", *words)

        for nr, order, large in ((600, 9, 512 + 64), (600, 10, 64), (70, 9, 64)):
            with self.subTest(nr=nr, order=order):
                vmstat = {f"vmstat_{when}": f"pgalloc_normal {(nr + 31) * i}\npgfree {31 * i}\n" for i, when in enumerate(("before", "after"))}
                self.machine(alloc(1, 600) + free(2, 600), kpageflags_after=flags((1024, order), (2560, 6)), **vmstat)
                document = self.replay()
                self.assertEqual(document["recorder"], {"buffer_pages": 0, "outside_pages": nr, "outside_large": large, "passing_pages": 30})
                self.assertEqual(document["end"]["free_pages"]["model"] + document["end"]["pcp_pages"]["model"], NR_FRAMES - NR_USED - nr)
                if order == 9 and nr == 600:  # a whole block, and a part of another
                    self.assertEqual(document["end"]["free_2m"]["model"], 7 - 2)

    def report_without(self, *names):
        """The report, and the JSON, of the small machine without some of its files."""
        shutil.rmtree(self.directory / "state", ignore_errors=True)
        self.machine(balanced(), **{f"{name}_{when}": None for name in names for when in ("before", "after")})
        return self.good("replay", "--quiet", self.path), self.replay()

    def test_without_buddyinfo_kpageflags_tells_of_free_blocks(self):
        _, whole = self.report_without()
        _, document = self.report_without("buddyinfo")
        for name in ("start", "end"):
            self.assertEqual(document[name]["free_2m"], whole[name]["free_2m"])
        self.assertEqual(document["end"]["free_pages"], whole["end"]["free_pages"])
        self.assertEqual(document["end"]["orders"], whole["end"]["orders"])
        (self.directory / "state" / "kpageflags.after").unlink()
        self.importing(balanced(), "--state", self.directory / "state")
        self.assertIsNone(self.replay()["end"]["free_2m"]["machine"])
        self.assertNotIn("0.00%", self.good("replay", "--quiet", self.path))

    def test_without_pagetypeinfo_all_types_are_inferred(self):
        self.assertIn("only the number of each is recorded", self.report_without()[0])
        self.assertIn("pagetypeinfo does not even tell how many", self.report_without("pagetypeinfo")[0])

    def test_state_and_events_that_contradict_each_other(self):
        # 40 pages that the state has in use are allocated again, but no cache held any of them
        self.machine("".join(alloc(1 + i / 100, 1 + i) for i in range(40)))
        self.assertIn("40 pages more came", self.good("replay", "--quiet", self.path))
        self.assertNotIn("pages more came", self.report_without()[0])

    def test_the_first_of_them_can_be_looked_up(self):
        self.machine(balanced() + free(5, 1 << 31) + alloc(7, 700, cpu=9) + free(8, 600) + free(9, 601))
        document = self.replay()
        self.assertEqual(
            document["first_unplaced"],
            {"free_outside": {"event": 131, "time": 4.0, "pfn": 1 << 31}, "free_unknown": {"event": 133, "time": 7.0, "pfn": 600}},
        )
        self.assertEqual(document["unknown_cpus"], 1)
        self.assertEqual(self.replay("--cpus", 1)["unknown_cpus"], 0)
        text = self.good("replay", "--quiet", self.path)
        self.assertIn("the first: event 131, at 4.000 s, frame 0x80000000\n", text)
        self.assertIn("1  events of CPUs that zoneinfo lacks", text)

    def test_more_than_the_machine_has(self):
        self.machine("".join(alloc(1 + i / 100, i % 8 * 512, order=9) for i in range(8)) + alloc(3, 1024, order=10))
        self.assertGreater(sum(self.replay()["unplaced"].values()), 0)

    def test_time_running_backwards_does_no_harm(self):
        state = self.directory / "state"
        state.mkdir()
        write_state(state)
        lines = balanced().splitlines(True)
        run("import", "-o", self.path, "--state", state, stdin="".join(lines[:64] + lines[66:] + lines[64:66]))
        document = self.replay()
        end = document["end"]
        self.assertEqual(document["backward"], 2)
        self.assertIn("2  events earlier than one in front of them", self.good("replay", "--quiet", self.path))
        self.assertEqual(end["free_pages"]["model"] + end["pcp_pages"]["model"], NR_FRAMES - NR_USED)

    def test_split_block_is_freed_in_parts(self):
        self.machine(alloc(1, 1024, order=9) + "".join(free(2 + i / 1000, 1024 + i) for i in range(512)))
        document = self.replay()
        self.assertEqual(sum(document["unplaced"].values()), 0)
        self.assertEqual(document["end"]["free_pages"]["model"] + document["end"]["pcp_pages"]["model"], NR_FRAMES - NR_USED)

    def test_fewer_cpus_and_tunables(self):
        self.machine(balanced())
        self.assertEqual(sum(self.replay("--cpus", 1)["unplaced"].values()), 0)
        self.assertIn("watermark_scale_factor=200", self.replay("--set", "watermark_scale_factor=200")["label"])

    def test_traffic_by_order_type_and_zone(self):
        self.machine(balanced() + alloc(9, 700, order=1, migratetype=0, gfp_flags="GFP_KERNEL"))
        document = self.replay()
        self.assertEqual(document["allocations"]["orders"][:2], [{"Movable": 64}, {"Unmovable": 1}])
        self.assertEqual(document["allocations"]["orders"][9], {"Movable": 1})
        self.assertEqual(document["allocations"]["zone_pages"], {"Normal": 64 + 512 + 2})
        self.assertEqual(document["frees"], [64] + [0] * 8 + [1, 0])
        self.assertEqual(document["freed"]["orders"], [{"Movable": 64}, *[{}] * 8, {"Movable": 1}, {}])
        self.assertEqual(document["freed"]["zone_pages"], {"Normal": 64 + 512})
        report = self.good("replay", "--quiet", self.path)
        self.assertRegex(report, r"\n   Movable +64( +0){8} +1 +0\n")
        self.assertIn("given back to zones: Normal 576\n", report)
        zone = document["end"]["zones"][0]
        self.assertEqual((zone["node"], zone["zone"], zone["managed"]), (0, "Normal", NR_FRAMES))
        self.assertEqual(zone["free_2m"], document["end"]["free_2m"])
        self.assertEqual(sum(pair["model"] for pair in zone["pageblocks"].values()), 8)

    def test_compare(self):
        self.machine(balanced())
        runs = self.replay(
            "--set", "min_free_kbytes=64", "--compare", "watermark_scale_factor=200", "--compare", "engine=bitmap,cpus=1,min_free_kbytes=128"
        )["runs"]
        self.assertEqual(
            [(one["engine"], one["cpus"], one["settings"]) for one in runs],
            [
                ("list", 2, {"min_free_kbytes": 64}),
                ("list", 2, {"min_free_kbytes": 64, "watermark_scale_factor": 200}),
                ("bitmap", 1, {"min_free_kbytes": 128}),
            ],
        )
        self.assertEqual(
            [one["label"] for one in runs],
            ["list, min_free_kbytes=64", "list, min_free_kbytes=64, watermark_scale_factor=200", "bitmap, 1 CPU, min_free_kbytes=128"],
        )

    def test_compare_names_what_differs_and_nothing_else(self):
        self.machine(balanced())
        args = ("--set", "min_free_kbytes=64", "--compare", "watermark_scale_factor=200", "--compare", "cpus=1")
        self.assertEqual([one["label"] for one in self.replay(*args)["runs"]], ["the base", "watermark_scale_factor=200", "1 CPU"])
        self.assertEqual([one["label"] for one in self.replay("--compare", "cpus=1")["runs"]], ["as recorded", "1 CPU"])
        labels = [one["label"] for one in self.replay("--engine", "bitmap", "--engine", "list", "--compare", "cpus=1")["runs"]]
        self.assertEqual(labels, ["bitmap", "list", "bitmap, 1 CPU"])

    def test_compare_report_fits_the_terminal(self):
        self.machine(balanced())
        for columns in ("80", "132"):
            text = self.good(
                "replay", "--quiet", "--compare", "engine=bitmap,watermark_scale_factor=200", self.path, env={"COLUMNS": columns}
            )
            table = text[text.index("Side by side") :]
            self.assertIn("bitmap, watermark_scale_factor=200", table)
            self.assertIn("the machine itself", table)
            self.assertLessEqual(max(map(len, text.splitlines())), int(columns), text)

    def test_wrong_differences(self):
        self.machine(balanced())
        for value, text in (
            ("bitmap", "'bitmap' is not engine=NAME, cpus=N or TUNABLE=VALUE"),
            ("", "'' is not engine=NAME"),
            ("engine=list,", "'' is not engine=NAME"),
            ("engine=steam", "'steam' is not one of: "),
            ("engin=list", "did you mean 'engine'?"),
            ("cpus=0", "'0' is not a number between 1 and"),
            ("watermark_scale_facto=1", "did you mean 'watermark_scale_factor'?"),
            ("watermark_scale_factor=0", "takes 1 to 3000"),
            ("lowmem_reserve_ratio=1", "cannot be set for a replay"),
        ):
            self.bad(2, text, "replay", "--compare", value, self.path)
        self.bad(2, "at most 16 replays", "replay", *["--compare", "cpus=1"] * 17, self.path)

    def test_wrong_usage(self):
        self.machine(balanced())
        self.bad(2, "nosuch", "replay", "--engine", "nosuch", self.path)
        self.bad(2, "nosuch", "replay", "--set", "nosuch=1", self.path)
        self.bad(2, "--cpus", "replay", "--cpus", "0", self.path)
        self.bad(2, "which .qtrace", "replay")
        self.bad(2, "which .qtrace", "info")
        self.bad(2, "--output", "import", stdin="")
        self.bad(3, "nowhere", "replay", self.directory / "nowhere")

    def test_state_that_is_missing(self):
        self.importing(balanced())
        self.bad(3, "before/zoneinfo", "replay", self.path)
        self.machine(balanced(), kpageflags_before=None)
        self.bad(3, "kpageflags", "replay", self.path)

    def test_nothing_to_compare_with(self):
        state = self.directory / "state"
        state.mkdir()
        write_state(state, **{f"{name}_after": None for name in ("zoneinfo", "buddyinfo", "pagetypeinfo", "iomem", "kpageflags")})
        self.importing(balanced(), "--state", state)
        end = self.replay()["end"]
        self.assertIsNone(end["free_pages"]["machine"])
        self.good("replay", "--quiet", self.path)

    def test_state_that_contradicts_itself(self):
        for text, contradiction in (
            (zoneinfo(NR_FRAMES + 1), "free pages"),
            (zoneinfo(0, present=NR_FRAMES + 1), "contradicts itself"),
            (zoneinfo(0, managed=NR_FRAMES + 1), "contradicts itself"),
            (zoneinfo(0, spanned=1 << 60), "contradicts kpageflags"),
            (zoneinfo(0, start=1 << 50), "contradicts kpageflags"),
            ("Node 0, zone Nonsense\n", "zoneinfo:1"),
            ("", "zoneinfo"),
            (zoneinfo(0) * 2, None),  # said twice is said
            ("\0\xff\n" * 50, "names no zone"),
        ):
            self.machine(balanced(), zoneinfo_before=text)
            if contradiction:
                self.bad(3, contradiction, "replay", "--quiet", self.path)
            else:
                self.replay()
        self.machine(balanced(), pagetypeinfo_before=pagetypeinfo().replace("order: 9", "order: 4"))
        self.bad(3, "order 4", "replay", self.path)
        for count in ("11", "99999999999999999999", str((1 << 64) - 1)):
            self.machine(balanced(), pagetypeinfo_before=pagetypeinfo().replace("            0            8", f"            {count}            8"))
            self.bad(3, "before/pagetypeinfo contradicts zoneinfo", "replay", self.path)
        self.machine(balanced(), kpageflags_before=b"x" * 1001)
        self.bad(3, "multiple of 8", "replay", self.path)
        self.machine(balanced(), buddyinfo_before="gibberish\n")
        self.bad(3, "buddyinfo:1", "replay", self.path)


class Info(TraceTest):
    def test_what_it_says(self):
        state = self.directory / "state"
        state.mkdir()
        write_state(state)
        run("import", "-o", self.path, "--state", state, stdin=balanced() + alloc(9, 700, order=15) + free(8, 900, order=2))
        info = self.info()
        self.assertEqual((info["format"], info["truncated"], info["checksums_right"]), ("1.0", False, True))
        self.assertEqual((info["kernel"], info["cpus"], info["nodes"], info["event_cpus"]), ("6.12.0-test", 2, 1, 2))
        self.assertEqual([(zone["zone"], zone["present"], zone["free"]) for zone in info["zones"]], [("Normal", NR_FRAMES, 3584)])
        self.assertEqual((info["backward"], info["seconds"]), (1, 7.0))
        self.assertEqual(info["orders"]["mm_page_alloc"], [64] + [0] * 8 + [1, 0])
        self.assertEqual(info["orders"]["mm_page_free"], [64, 0, 1] + [0] * 6 + [1, 0])
        self.assertEqual({name: nr for name, nr in info["chunks"].items() if "bytes" not in name}, {"files": 13, "events": 1, "tasks": 1, "end": 1, "unknown": 0})
        text = self.good("info", self.path)
        for line in ("kernel 6.12.0-test, 2 CPUs, 1 node, 0.0 GiB", "0: 64, 9: 1, above 10: 1", "time runs backwards at 1 events", "13 FILE, 1 EVTS"):
            self.assertIn(line, text)
        self.assertLessEqual(max(map(len, text.splitlines()[1:])), 80, text)

    def test_of_a_machine_that_was_not_saved(self):
        self.importing(balanced())
        info = self.info()
        self.assertEqual((info["kernel"], info["cpus"], info["nodes"], info["zones"]), (None, None, None, []))
        self.assertIn("zones     unknown: the trace has no before/zoneinfo", self.good("info", self.path))


class Showing(TraceTest):
    """`quire show` of a recording, and of the end of a replay that was saved."""

    FILES = ("buddyinfo", "pagetypeinfo", "zoneinfo")

    def show(self, view, *args, path=None):
        return self.good_json("show", view, path or self.path, *args, schema=f"quire-show-{view}")

    def test_files_are_printed_as_they_were_recorded(self):
        self.machine(balanced(), buddyinfo_after="Node 0, zone   Normal      7 \n", vmstat_before="nr_free_pages 5\nx 1\n")
        for name in self.FILES:
            for args, when in (((), "before"), (("--after",), "after")):
                recorded = (self.directory / "state" / f"{name}.{when}").read_text() if (name, when) != ("buddyinfo", "after") else None
                self.assertEqual(self.good("show", name, self.path, *args), recorded or "Node 0, zone   Normal      7 \n")
        self.assertEqual(self.good("show", "vmstat", self.path), "nr_free_pages 5\nx 1\n")
        self.assertEqual(self.show("vmstat")["counters"], {"nr_free_pages": 5, "x": 1})
        self.assertEqual(self.show("buddyinfo", "--after")["zones"][0]["free_blocks"], [7])

    def test_json(self):
        self.machine(balanced())
        zone = self.show("zoneinfo")["zones"][0]
        self.assertEqual((zone["spanned"], zone["free"], zone["watermarks"]["low"], len(zone["pagesets"])), (NR_FRAMES, 3584, 20, 2))
        document = self.show("pagetypeinfo")
        self.assertEqual((document["when"], document["pageblock_order"]), ("before", 9))
        self.assertEqual(document["zones"][0]["free_blocks"]["Movable"], [0] * 9 + [1, 3])
        self.assertEqual(document["zones"][0]["pageblocks"]["Movable"], 8)

    def test_map(self):
        self.machine(balanced(), kpageflags_after=struct.pack(f"<{NR_FRAMES}Q", *[USER_PAGE] * 100 + [FREE_PAGE] * (NR_FRAMES - 100)))
        for args, used in (((), 512), (("--after",), 100)):
            document = self.show("map", *args)
            self.assertTrue(document["types_inferred"])
            first, second = document["zones"][0]["pageblocks"][:2]
            self.assertEqual(first, [0, "Movable", 512 - used, 0, used, 0, 0])
            self.assertEqual(second, [512, "Movable", 512, 0, 0, 0, 0])
        text = self.good("show", "map", self.path)
        self.assertIn("0  M.......\n", text)
        self.assertIn("types are inferred", text)
        self.assertIn("0  m.......\n", self.good("show", "map", "--after", self.path))

    def test_what_a_recording_does_not_carry(self):
        self.importing(balanced())
        self.bad(3, "carries no buddyinfo of the time before the recording", "show", "buddyinfo", self.path)
        self.bad(3, "carries no vmstat of the time after the recording", "show", "vmstat", "--after", self.path)
        self.bad(3, "zoneinfo", "show", "map", self.path)

    def test_wrong_usage(self):
        self.machine(balanced())
        self.bad(2, "is a recording; 'quire info'", "show", "machine", self.path)
        for args in (("--set", "min_free_kbytes=1"), ("--alloc", "0:1"), ("--engine", "list"), ("--free-every", "2")):
            self.bad(2, f"{args[0]}: {self.path} is a recording", "show", "map", self.path, *args)
        self.bad(2, "--after: only a recording", "show", "map", "--after")
        self.path.write_bytes(self.path.read_bytes().replace(b"\r\n", b"\n"))
        self.bad(3, "transferred as text", "show", "map", self.path)

    def saved_end(self, *args):
        end = self.directory / "end.qtrace"
        document = self.good_json("replay", "--quiet", "--save-end", end, "--force", *args, self.path, schema="quire-replay")
        return end, document

    def test_saved_end_is_the_end(self):
        lines = [alloc(5 + i / 100, 2048 + 3 * i, cpu=i % 2, order=i % 3, migratetype=i % 3) for i in range(100)]
        self.machine(balanced() + "".join(lines))
        for engine in ("list", "bitmap"):
            end, document = self.saved_end("--engine", engine)
            told = {row["order"]: row["model"] for row in document["end"]["orders"]}
            self.assertEqual(self.show("buddyinfo", path=end)["zones"][0]["free_blocks"], list(told.values()))
            zone = self.show("pagetypeinfo", path=end)["zones"][0]
            types = {name: nr for name, nr in zone["pageblocks"].items() if nr}
            self.assertEqual(types, {name: pair["model"] for name, pair in document["end"]["zones"][0]["pageblocks"].items() if pair["model"]})
            mapped = self.show("map", path=end)
            self.assertFalse(mapped["types_inferred"])
            blocks = mapped["zones"][0]["pageblocks"]
            self.assertEqual(sum(block[2] for block in blocks), document["end"]["free_pages"]["model"])
            self.assertEqual({name: sum(block[1] == name for block in blocks) for name in types}, types)
            info = self.info(end)
            self.assertEqual((info["events"], {f["when"] for f in info["files"]}), (0, {"meta", "before"}))

    @unittest.skipUnless(shutil.which("zstd"), "needs zstd to look into a recording")
    def test_saved_end_carries_types_and_uses(self):
        self.machine(balanced() + "".join(alloc(5 + i / 100, 2048 + i, migratetype=mt) for i, mt in enumerate((0, 0, 0, 1, 1, 2))))
        end, document = self.saved_end("--engine", "list")
        lines = [line.split() for line in file_of(end.read_bytes(), "pageblocks").decode().splitlines()]
        self.assertEqual(sum(int(nr) for _, nr, _ in lines), 8)
        self.assertEqual([int(lines[i][0]) + 512 * int(lines[i][1]) for i in range(len(lines) - 1)], [int(start) for start, _, _ in lines[1:]])
        told = {name: pair["model"] for name, pair in document["end"]["zones"][0]["pageblocks"].items() if pair["model"]}
        self.assertEqual({name: sum(int(nr) for _, nr, of in lines if of == name) for name in told}, told)
        words = struct.unpack(f"<{NR_FRAMES}Q", file_of(end.read_bytes(), "kpageflags"))
        self.assertEqual(sum(word >> 10 & 1 for word in words), document["end"]["free_pages"]["model"])
        self.assertEqual(sum(word >> 5 & 1 for word in words), NR_USED + 2)  # on an LRU list
        self.assertEqual(sum(word >> 7 & 1 for word in words), 1)  # slab
        self.assertIn(b"vm.min_free_kbytes = ", file_of(end.read_bytes(), "sysctl", 0))
        self.assertEqual(file_of(end.read_bytes(), "origin", 0), f"end of a replay of {self.path}: list\n".encode())

    def test_saved_end_can_be_replayed(self):
        self.machine(balanced() + "".join(alloc(5 + i / 100, 2048 + 3 * i, migratetype=i % 3) for i in range(100)))
        end, document = self.saved_end("--set", "watermark_scale_factor=77")
        again = self.replay(path=end)
        self.assertEqual(again["events"], 0)
        for name in ("free_pages", "free_2m"):
            self.assertEqual(again["end"][name], {"model": document["end"][name]["model"], "machine": None})
        self.assertEqual([row["model"] for row in again["end"]["orders"]], [row["model"] for row in document["end"]["orders"]])
        model = {name: pair["model"] for name, pair in document["end"]["zones"][0]["pageblocks"].items()}
        self.assertEqual({name: pair["model"] for name, pair in again["end"]["zones"][0]["pageblocks"].items()}, model)
        self.good("replay", "--quiet", end)

    def test_saved_end_of_the_bundled_trace(self):
        self.path = REDIS
        end, document = self.saved_end()
        again = self.replay(path=end)
        self.assertEqual(again["end"]["free_2m"]["model"], document["end"]["free_2m"]["model"])
        self.assertEqual(again["end"]["free_pages"]["model"], document["end"]["free_pages"]["model"])

    def test_saved_end_replaces_nothing_unasked(self):
        self.machine(balanced())
        precious = self.directory / "precious"
        precious.write_text("precious")
        self.bad(4, "exists already", "replay", "--quiet", "--save-end", precious, self.path)
        self.assertEqual(precious.read_text(), "precious")
        self.bad(4, "cannot be created", "replay", "--quiet", "--save-end", self.directory / "no" / "where", self.path)

    def test_told_types_that_make_no_sense(self):
        self.machine(balanced())
        end, _ = self.saved_end()
        for text in ("0 8\n", "0 9 Movable\n", "1 1 Movable\n", "0 1 Immovable\n", f"{1 << 63} 1 Movable\n", f"0 {(1 << 64) - 1} Movable\n"):
            self.path.write_bytes(with_file(end.read_bytes(), "pageblocks", text.encode()))
            self.bad(3, "before/pageblocks:1", "replay", "--quiet", self.path)
            self.bad(3, "before/pageblocks:1", "show", "map", self.path)


class BadFiles(TraceTest):
    def setUp(self):
        super().setUp()
        self.machine(balanced())
        self.good_bytes = self.path.read_bytes()
        self.other = self.directory / "bad.qtrace"

    def changed(self, data):
        self.other.write_bytes(bytes(data))
        return self.other

    def test_foreign(self):
        for data, text in (
            (b"", "too short"),
            (b"QTRACE\r\n", "too short"),
            (b"\x7fELF" + bytes(100), "not a .qtrace"),
            (balanced().encode(), "not a .qtrace"),
        ):
            self.bad(3, text, "info", self.changed(data))
            self.bad(3, text, "replay", self.other)
        self.bad(3, "not a regular file", "info", self.directory)

    def test_future_version(self):
        data = bytearray(self.good_bytes)
        data[8] = 2
        self.bad(3, "version 2", "info", self.changed(data))

    def test_chunks_of_a_later_minor_version_are_passed_over(self):
        data = bytearray(self.good_bytes)
        data[10] = 7
        head = struct.pack("<4sIII", b"XTRA", 1, 10, 3)
        data[HEAD:HEAD] = head + struct.pack("<II", zlib.crc32(head), 0) + b"abc"
        self.assertEqual(self.info(self.changed(data))["events"], 130)

    def test_transferred_as_text(self):
        self.bad(3, "transferred as text", "info", self.changed(self.good_bytes.replace(b"\r\n", b"\n")))

    def test_bytes_behind_the_end(self):
        self.bad(3, "behind its end", "info", self.changed(self.good_bytes + b"more"))

    def test_truncated(self):
        step = max(len(self.good_bytes) // 25, 1)
        for size in range(HEAD, len(self.good_bytes), step):
            result = run("info", "--json", self.changed(self.good_bytes[:size]))
            self.assertEqual(result.returncode, 0, (size, result.stderr))
            self.assertIn("cut off at byte", result.stderr)
            self.assertTrue(json.loads(result.stdout)["truncated"])
            self.assertIn(run("replay", "--quiet", self.other).returncode, (0, 3), size)
        without_end = run("replay", "--quiet", "--json", self.changed(self.good_bytes[:-1]))
        self.assertEqual((without_end.returncode, json.loads(without_end.stdout)["events"]), (0, 130))

    def test_flipped_bits(self):
        noise = random.Random(2026)
        nr_refused = 0
        for turn in range(120):
            data = bytearray(self.good_bytes)
            at = turn if turn < 40 else noise.randrange(len(data))
            data[at] ^= 1 << noise.randrange(8)
            verb = ("info",) if turn % 4 else ("replay", "--quiet")
            result = run(*verb, self.changed(data))
            self.assertIn(result.returncode, (0, 3), (at, result.stderr))
            if result.returncode:
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn(str(self.other), result.stderr)
            nr_refused += result.returncode == 3
        self.assertGreater(nr_refused, 90)


class Recording(TraceTest):
    @unittest.skipUnless(os.geteuid() == 0 and TRACEFS.exists(), "needs root and tracefs")
    def test_record_and_replay(self):
        code = "import mmap; m = mmap.mmap(-1, 8 << 20); [m.write(b'x' * 4096) for _ in range(2048)]"
        recorded = json.loads(self.good("record", "--quiet", "--json", "-o", self.path, "--", "python3", "-c", code))
        self.assertEqual(recorded["schema"], "quire-record")
        self.assertGreater(recorded["events"], 100)
        self.assertEqual(recorded["lost"], 0)
        info = self.info()
        self.assertEqual(info["events"], recorded["events"])
        self.assertGreaterEqual({(f["when"], f["name"]) for f in info["files"]}, {(w, n) for w in ("before", "after") for n in ("zoneinfo", "buddyinfo", "kpageflags")})
        document = self.replay()
        self.assertEqual(document["events"], recorded["events"])
        self.assertLess(sum(document["unplaced"].values()), max(recorded["events"] // 20, 50))


if __name__ == "__main__":
    unittest.main()
