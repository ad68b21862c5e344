# SPDX-License-Identifier: MIT
"""A trace.dat of trace-cmd, version 6 of its format, as trace-cmd.dat.v6(5) describes it."""

import struct

PAGE = 4096
COMMON = (("unsigned short common_type", 0, 2), ("unsigned char common_flags", 2, 1), ("unsigned char common_preempt_count", 3, 1), ("int common_pid", 4, 4))
# The fields of this kernel: others have them at other places and of other sizes.
ALLOC = (("unsigned long pfn", 8), ("unsigned int order", 4), ("unsigned long gfp_flags", 8), ("int migratetype", 4))
FREE = (("unsigned long pfn", 8), ("unsigned int order", 4))
EXTFRAG = (
    ("unsigned long pfn", 8), ("int alloc_order", 4), ("int fallback_order", 4), ("int alloc_migratetype", 4),
    ("int fallback_migratetype", 4), ("int change_ownership", 4),
)
HEADER_PAGE = (
    "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
    "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n"
)
HEADER_EVENT = (
    "# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n"
    "\tpadding     : type == 29\n\ttime_extend : type == 30\n\tdata max type_len  == 28\n"
)
GFP = '__print_flags(REC->gfp_flags, "|", {( unsigned long) 0xcc0, "GFP_KERNEL"}, {( unsigned long) 0x8, "__GFP_MOVABLE"})'


class Event:
    """A kind of event: its number and where its fields lie."""

    def __init__(self, number, name, fields, print_format='"%lu", REC->pfn'):
        self.number, self.offsets, at, text = number, {}, 8, ""
        for declaration, size in fields:
            at += -at % size
            self.offsets[declaration.split()[-1]] = (at, size)
            text += f"\tfield:{declaration};\toffset:{at};\tsize:{size};\tsigned:{int(declaration.startswith('int'))};\n"
            at += size
        self.size = at + -at % 4
        common = "".join(f"\tfield:{name};\toffset:{at};\tsize:{size};\tsigned:0;\n" for name, at, size in COMMON)
        self.format = f"name: {name}\nID: {number}\nformat:\n{common}\n{text}\nprint fmt: {print_format}\n"

    def record(self, pid, **values):
        data = bytearray(self.size)
        struct.pack_into("<HBBi", data, 0, self.number, 0, 0, pid)
        for name, value in values.items():
            at, size = self.offsets[name]
            data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
        return bytes(data)


def kinds(alloc=ALLOC, free=FREE):
    return {
        "mm_page_alloc": Event(501, "mm_page_alloc", alloc, f'"%lu %s", REC->pfn, {GFP}'),
        "mm_page_free": Event(502, "mm_page_free", free),
        "mm_page_alloc_extfrag": Event(503, "mm_page_alloc_extfrag", EXTFRAG),
        "kfree": Event(504, "kfree", FREE),
    }


def pages(records):
    """Sub-buffers of (time in ns, bytes of an event)."""
    out, data, start, last = b"", b"", None, 0
    for time, record in [*records, (None, b"")]:
        if start is not None and (time is None or len(data) + 4 + len(record) > PAGE - 16):
            out += struct.pack("<QQ", start, len(data)) + data.ljust(PAGE - 16, b"\0")
            data, start = b"", None
        if time is None:
            break
        if start is None:
            start = last = time
        data += struct.pack("<I", len(record) // 4 | (time - last) << 5) + record
        last = time
    return out


def sized(text, form="<Q"):
    return struct.pack(form, len(text)) + text.encode()


def flyrecord(at, cpus):
    """The table of a buffer's CPUs and their pages, as they lie in the file at that place."""
    start = at + 10 + 16 * len(cpus)
    start += -start % PAGE
    table, data = b"flyrecord\0", b""
    for records in cpus:
        part = pages(records)
        table += struct.pack("<QQ", start + len(data), len(part))
        data += part
    return table.ljust(start - at, b"\0") + data


def trace_dat(events, cpus, comms=(), buffers=None):
    """events: those of kinds(); cpus: for each CPU its (time, record); comms: "pid name"; buffers: by name, as cpus."""
    head = b"\x17\x08\x44tracing6\0\0\x08" + struct.pack("<I", PAGE)
    head += b"header_page\0" + sized(HEADER_PAGE) + b"header_event\0" + sized(HEADER_EVENT)
    head += struct.pack("<I", 0)  # no events of ftrace's own
    head += struct.pack("<I", 1) + b"kmem\0" + struct.pack("<I", len(events)) + b"".join(sized(e.format) for e in events.values())
    head += sized("", "<I") * 2 + sized("".join(f"{line}\n" for line in comms))  # kallsyms, printk, tasks
    head += struct.pack("<I", len(cpus))
    options = {name: 6 + 8 + len(name) + 1 for name in buffers or {}}
    at = len(head) + 10 + sum(options.values()) + 2
    top = flyrecord(at, cpus)
    more, listed = b"", b""
    for name, of_buffer in (buffers or {}).items():
        listed += struct.pack("<HIQ", 3, 8 + len(name) + 1, at + len(top) + len(more)) + name.encode() + b"\0"
        more += flyrecord(at + len(top) + len(more), of_buffer)
    return head + b"options  \0" + listed + b"\0\0" + top + more
