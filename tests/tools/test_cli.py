#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Verbs, options, help, exit codes: what all of the program has in common."""

import re
import subprocess
import unittest

from program import QUIRE, SOURCE, ProgramTest, run

# Every verb there is, as the program itself tells.
VERBS = [verb for verb in re.findall(r"(?m)^  ([a-z]+) +\S", run("--help").stdout) if verb != "help"]


def options_of(help_text):
    return set(re.findall(r"^  --([a-z-]+)", help_text, re.M)) - {"help"}


class Frame(ProgramTest):
    def test_help_lists_every_verb(self):
        self.assertEqual(self.good("--help"), self.good("help"))
        for verb in ("show", "stress", "tunables"):
            self.assertIn(verb, VERBS)

    def test_version_is_that_of_the_build(self):
        build = (SOURCE / "meson.build").read_text()
        version = re.search(r"version: '([^']+)'", build).group(1)
        self.assertEqual(self.good("--version"), f"quire {version}\n")

    def test_nothing_is_wrong_usage(self):
        result = run()
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("Usage: quire VERB", result.stderr)

    def test_help_of_a_verb_is_its_help_option(self):
        for verb in VERBS:
            text = self.good("help", verb)
            self.assertEqual(text, self.good(verb, "--help"))
            self.assertTrue(text.startswith(f"Usage: quire {verb} "), text)
            self.assertIn("--json", text)
            self.assertTrue(all(len(line) <= 80 for line in text.splitlines()), verb)

    def test_help_of_machine_files(self):
        text = self.good("help", "machine")
        for word in ("ram START", "distance A B", "page_owner"):
            self.assertIn(word, text)

    def test_unknown_verbs(self):
        self.bad(2, "there is no verb 'strss'; did you mean 'stress'?", "strss")
        self.bad(2, "there is no verb 'frobnicate'; 'quire help' lists them", "frobnicate")
        self.bad(2, "there is no verb 'nonsense'", "help", "nonsense")

    def test_output_that_cannot_be_written(self):
        trace = SOURCE / "examples" / "traces" / "redis.qtrace"
        for args in (
            ["show", "vmstat"],
            ["show", "map", trace],
            ["show", "zoneinfo", trace],
            ["show", "zoneinfo", trace, "--json"],
            ["info", trace],
            ["info", trace, "--json"],
            ["replay", "--quiet", trace],
            ["replay", "--quiet", trace, "--json"],
            ["sweep", "--quiet", trace, "--set", "watermark_scale_factor=10,20"],
            ["tunables"],
            ["help", "replay"],
        ):
            with open("/dev/full", "w") as full:
                result = subprocess.run([QUIRE, *map(str, args)], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(result.returncode, 1, args)
            self.assertIn("could not be written", result.stderr, args)
            self.assertEqual(len(result.stderr.splitlines()), 1, (args, result.stderr))


class Manual(ProgramTest):
    """The manual pages and --help name the same options."""

    def test_options(self):
        for verb in VERBS:
            page = (SOURCE / "tools" / "man" / f"quire-{verb}.1").read_text()
            described = set(re.findall(r"^\.It Fl Fl ([a-z-]+)", page, re.M)) - {"help"}
            self.assertEqual(options_of(self.good("help", verb)), described, verb)

    def test_statements(self):
        page = (SOURCE / "tools" / "man" / "quire-machine.5").read_text()
        described = set(re.findall(r"^\.It Ic ([a-z_]+)", page, re.M))
        statements, options = self.good("help", "machine").split("\nOptions:\n")
        self.assertEqual(set(re.findall(r"^  ([a-z_]+)", statements, re.M)), described)
        words = set(re.findall(r"^\.It Cm ([a-z_]+)", page, re.M))
        self.assertEqual(set(re.findall(r"^  ([a-z_]+)", options, re.M)), words)

    def test_every_verb_is_in_quire_1(self):
        page = (SOURCE / "tools" / "man" / "quire.1").read_text()
        for verb in VERBS:
            self.assertIn(f".Xr quire-{verb} 1", page)


class WrongArguments(ProgramTest):
    CASES = [
        ("show --jsn", "show: there is no option --jsn; did you mean --json?"),
        ("show --frobnicate", "'quire help show' lists them"),
        ("show -x buddyinfo", "'-x': options are written out"),
        ("show", "show what?"),
        ("show nonsense", "'nonsense' is not one of: buddyinfo, pagetypeinfo"),
        ("show buddyinfo a b", "'b' is too much"),
        ("show buddyinfo --json=yes", "--json: takes no value"),
        ("show buddyinfo --set", "--set: wants a value: --set TUNABLE=VALUE"),
        ("show buddyinfo --set min_free_kbytes", "'min_free_kbytes' is not TUNABLE=VALUE"),
        ("show buddyinfo --set min_free_kbyte=1", "did you mean 'min_free_kbytes'?"),
        ("show buddyinfo --set watermark_scale_factor=0", "takes 1 to 3000"),
        ("show buddyinfo --set percpu_pagelist_high_fraction=7", "takes 0 or 8 to"),
        ("show buddyinfo --set extfrag_threshold=x", "'x' will not do"),
        ("show buddyinfo --set numa_zonelist_order=x", "takes Node or Default"),
        ("show buddyinfo --alloc 0", "'0' is not ORDER:COUNT[:GFP]"),
        ("show buddyinfo --alloc x:1", "'x' is not a number between 0 and"),
        ("show buddyinfo --alloc 99:1", "'99' is not a number between 0 and"),
        ("show buddyinfo --alloc 0:0", "'0' is not a number"),
        ("show buddyinfo --alloc 0:1:movabel", "'movabel' is not a gfp flag"),
        ("show buddyinfo --alloc 0:1:__GFP_DMA|__GFP_DMA32", "cannot be asked for"),
        ("show buddyinfo --free-every 0", "--free-every: '0' is not a number"),
        ("show map --blocks-per-char 0", "'0' is not a number"),
        ("show map --color sometimes", "'sometimes' is not one of: auto, always, never"),
        ("stress --threads x", "stress: --threads: 'x' is not a number between 1 and 1024"),
        ("stress --threads 0", "'0' is not a number between 1 and 1024"),
        ("stress --threads 1025", "'1025' is not a number between 1 and 1024"),
        ("stress --seconds 0", "'0' is not a number of seconds above 0"),
        ("stress --seconds nan", "'nan' is not a number of seconds"),
        ("stress --seconds -1", "'-1' is not a number of seconds"),
        ("stress --memory 10X", "'10X' is not a size such as 512M or 24GiB"),
        ("stress --memory 1K", "'1K' is not a size between 1M and"),
        ("stress --memory 1048577", "not a multiple of the page size"),
        ("stress --memory 18446744073709551616", "is not a size"),
        ("stress --backing disk", "'disk' is not one of: memfd, hugetlb, none"),
        ("stress --orders 3-1", "'3-1' is not a span between 0 and"),
        ("stress --orders 0-99", "is not a span between 0 and"),
        ("stress --option fast", "'fast' is not one of: poison"),
        ("stress --engine steam --memory 16M", "there is no buddy engine"),
        ("show vmstat --engine steam", "there is no buddy engine"),
        ("stress --seed -1", "'-1' is not a number from 0 up"),
        ("stress --memory 64M x.machine", "--memory cannot be given as well"),
        ("stress a b", "'b' is too much"),
        ("tunables a b", "'b' is too much"),
        ("tunables --set a=b", "there is no option --set"),
    ]

    def test_each(self):
        for line, text in self.CASES:
            with self.subTest(line):
                self.bad(2, text, *line.split(" "))

    def test_missing_files(self):
        for verb in (["show", "buddyinfo"], ["stress"], ["tunables"]):
            self.bad(3, "/nonexistent.machine: No such file or directory", *verb, "/nonexistent.machine")
            self.bad(3, "Is a directory", *verb, "/")


if __name__ == "__main__":
    unittest.main()
