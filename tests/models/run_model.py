#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_model.py SPIN CC MODEL.pml - check a model in all its interleavings, in each variant it names

A model says in its opening comment which variants there are, by the names that are defined for them:

    holds: A B      nothing goes wrong
    fails: C        something does: the model would notice if the code did without

A tab and some words may follow.  The verifier must have searched everything.
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def variants(text):
    for holds, names in re.findall(r"^ \* (holds|fails):([^\t\n]*)", text, re.MULTILINE):
        yield holds == "holds", names.split()


def verify(spin, cc, model, names, folder):
    """The number of errors; stops at the first one."""
    defines = [f"-D{name}" for name in names]
    subprocess.run([spin, *defines, "-a", str(model)], cwd=folder, check=True, stdout=subprocess.PIPE)
    subprocess.run([cc, "-O1", "-w", "-DSAFETY", "-DMEMLIM=1024", "-o", "pan", "pan.c"], cwd=folder, check=True)
    ran = subprocess.run(["./pan", "-m200000"], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    found = re.search(r"errors: (\d+)", ran.stdout)
    if not found or "max search depth too small" in ran.stdout or "out of memory" in ran.stdout:
        sys.exit(f"{model.name} {names}: the search is not complete:\n{ran.stdout}")
    states = re.search(r"([\d.e+]+) states, stored", ran.stdout)
    return int(found.group(1)), states.group(1) if states else "?"


def main():
    spin, cc, model = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
    failed = total = 0
    for holds, names in variants(model.read_text()):
        with tempfile.TemporaryDirectory() as folder:
            errors, states = verify(spin, cc, model, names, folder)
        good = (errors == 0) == holds
        print(f"{'ok' if good else 'NOT OK'}: {' '.join(names) or '(as it is)'}: {errors} errors, {states} states")
        failed += not good
        total += 1
    return 1 if failed or not total else 0


sys.exit(main())
