# SPDX-License-Identifier: MIT
"""Recordings for tests: lines of perf script, the files of a small machine, chunks of a .qtrace."""

import pathlib
import shutil
import struct
import subprocess
import tempfile
import zlib

from program import SOURCE, ProgramTest

REDIS = SOURCE / "examples" / "traces" / "redis.qtrace"
TRACEFS = pathlib.Path("/sys/kernel/tracing/events/kmem")
HEAD, CHUNK = 16, 24  # bytes of the file's head and of a chunk's

NR_FRAMES, NR_USED = 4096, 512
USER_PAGE, FREE_PAGE = 1 << 5 | 1 << 12, 1 << 10  # LRU and ANON; BUDDY


def event(name, time, pfn, cpu=0, comm="redis-server", pid=7, order=0, **fields):
    """A line of perf script."""
    if name == "mm_page_alloc":
        fields = {"migratetype": 1, "gfp_flags": "GFP_HIGHUSER_MOVABLE", **fields}
    more = "".join(f" {key}={value}" for key, value in fields.items())
    return f"{comm:>16} {pid} [{cpu:03}] {time:.6f}: kmem:{name}: page={pfn:#x} pfn={pfn:#x} order={order}{more}\n"


def alloc(time, pfn, **kwargs):
    return event("mm_page_alloc", time, pfn, **kwargs)


def free(time, pfn, **kwargs):
    return event("mm_page_free", time, pfn, **kwargs)


def zoneinfo(nr_free, spanned=NR_FRAMES, present=NR_FRAMES, managed=NR_FRAMES, start=0):
    pagesets = "".join(f"    cpu: {cpu}\n              count: 0\n              high: 8\n              batch: 1\n" for cpu in (0, 1))
    return (
        f"Node 0, zone   Normal\n  pages free     {nr_free}\n        boost    0\n        min      16\n"
        f"        low      20\n        high     24\n        spanned  {spanned}\n        present  {present}\n"
        f"        managed  {managed}\n        cma      0\n  pagesets\n{pagesets}"
        f"  node_unreclaimable:  0\n  start_pfn:           {start}\n"
    )


def pagetypeinfo():
    types = ("Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate")
    free_blocks = {"Movable": [0] * 9 + [1, 3]}
    rows = "".join(
        f"Node    0, zone   Normal, type {name:>12} " + " ".join(f"{n:6}" for n in free_blocks.get(name, [0] * 11)) + " \n"
        for name in types
    )
    return (
        "Page block order: 9\nPages per block:  512\n\nFree pages count per migrate type at order "
        + " ".join(f"{order:6}" for order in range(11))
        + f" \n{rows}\nNumber of blocks type "
        + " ".join(f"{name:>12}" for name in types)
        + " \nNode 0, zone   Normal            0            8            0            0            0 \n"
    )


def chunk(tag, raw, extra=0):
    """A chunk of a .qtrace; its zstd frame has one block that is not compressed, and no checksum."""
    blocks = [raw[at : at + (1 << 17)] for at in range(0, len(raw), 1 << 17)] or [b""]
    frame = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(raw))
    for i, block in enumerate(blocks):
        frame += struct.pack("<I", len(block) << 3 | (i == len(blocks) - 1))[:3] + block
    head = struct.pack("<4sIII", tag, extra, len(raw), len(frame))
    return head + struct.pack("<II", zlib.crc32(head), 0) + frame


def with_file(trace, name, data, when=1):
    """The same recording with this file in the place of the one of that name."""
    out, at = trace[:HEAD], HEAD
    while at < len(trace):
        size = CHUNK + struct.unpack_from("<I", trace, at + 12)[0]
        part = trace[at : at + size]
        if not (part[:4] == b"FILE" and name.encode() in part):
            out += part if part[:4] != b"END " else chunk(b"FILE", struct.pack("<B7x48s8x", when, name.encode()) + data) + part
        at += size
    return out


def file_of(trace, name, when=1):
    """What a recording carries under this name; None: there is no zstd to unpack it with."""
    if not shutil.which("zstd"):
        return None
    at, found = HEAD, b""
    while at < len(trace):
        size = CHUNK + struct.unpack_from("<I", trace, at + 12)[0]
        if trace[at : at + 4] == b"FILE":
            raw = subprocess.run(["zstd", "-dc"], input=trace[at + CHUNK : at + size], stdout=subprocess.PIPE, check=True).stdout
            if raw[0] == when and raw[8:56].rstrip(b"\0") == name.encode():
                found += raw[64:]
        at += size
    return found


def write_state(directory, **replaced):
    """A machine of 4096 frames: the first pageblock is in use by user pages, the rest is free."""
    flags = [USER_PAGE] * NR_USED + [FREE_PAGE] * (NR_FRAMES - NR_USED)
    files = {"sysctl": "vm.percpu_pagelist_high_fraction = 0\n", "uname": "6.12.0-test\n", "nproc": "2\n"}
    for when in ("before", "after"):
        files[f"zoneinfo.{when}"] = zoneinfo(NR_FRAMES - NR_USED)
        files[f"buddyinfo.{when}"] = "Node 0, zone   Normal " + " ".join(f"{n:6}" for n in [0] * 9 + [1, 3]) + " \n"
        files[f"pagetypeinfo.{when}"] = pagetypeinfo()
        files[f"iomem.{when}"] = f"00000000-{NR_FRAMES * 4096 - 1:08x} : System RAM\n"
        files[f"kpageflags.{when}"] = struct.pack(f"<{NR_FRAMES}Q", *flags)
    for name, text in {**files, **{name.replace("_", "."): text for name, text in replaced.items()}}.items():
        if text is not None:
            (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def balanced():
    """Everything that is allocated is freed again: single pages, a whole pageblock, both CPUs."""
    lines = [alloc(1 + i / 1000, 600 + i, cpu=i % 2) for i in range(64)]
    lines += [alloc(2, 1024, order=9, cpu=1), free(2.5, 1024, order=9, cpu=0)]
    lines += [free(3 + i / 1000, 600 + i, cpu=i % 2) for i in range(64)]
    return "".join(lines)


class TraceTest(ProgramTest):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="quire-trace-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.path = self.directory / "out.qtrace"

    def importing(self, text, *args):
        return self.good_json("import", "-o", self.path, "--force", *args, stdin=text, schema="quire-import")

    def machine(self, text, **replaced):
        """A trace of the small machine."""
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        write_state(state, **replaced)
        return self.importing(text, "--state", state)

    def info(self, path=None):
        return self.good_json("info", path or self.path, schema="quire-info")

    def replay(self, *args, path=None):
        return self.good_json("replay", "--quiet", *args, path or self.path, schema="quire-replay")

    def left(self):
        return sorted(path.name for path in self.directory.iterdir() if path.is_file())
