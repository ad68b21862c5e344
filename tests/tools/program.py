# SPDX-License-Identifier: MIT
"""What the tests of the program share: running it, and what every answer must look like."""

import json
import os
import pathlib
import subprocess
import unittest

QUIRE = os.environ.get("QUIRE", "build/quire")
SOURCE = pathlib.Path(os.environ.get("QUIRE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
MACHINES = SOURCE / "examples" / "machines"


def run(*args, stdin=None, timeout=200, env=None):
    """Run quire, which may be slow where it is watched; the result has returncode, stdout and stderr."""
    return subprocess.run(
        [QUIRE, *map(str, args)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )


def run_uncounted(command, **kwargs):
    """
    Run a command that may not write everywhere, or not much.  A program that counts its coverage would spoil the counts
    with half of its own, and complain: it is kept from them, and its complaints are left out.
    """
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "GCOV_PREFIX": "/dev/null"}, **kwargs)
    result.stderr = "".join(line for line in result.stderr.splitlines(True) if not line.startswith("profiling:"))
    return result


class ProgramTest(unittest.TestCase):
    """Assertions about a run of quire."""

    maxDiff = None

    def good(self, *args, **kwargs):
        """What quire prints when all is well."""
        result = run(*args, **kwargs)
        self.assertEqual((result.returncode, result.stderr), (0, ""), args)
        return result.stdout

    def good_json(self, *args, schema, version=1, **kwargs):
        document = json.loads(self.good(*args, "--json", **kwargs))
        self.assertEqual((document["schema"], document["version"]), (schema, version))
        return document

    def bad(self, code, text, *args, **kwargs):
        """Quire refuses: with this code, one line on stderr that has this text, nothing on stdout."""
        result = run(*args, **kwargs)
        self.assertEqual(result.returncode, code, (args, result.stderr))
        self.assertEqual(result.stdout, "", args)
        self.assertEqual(len(result.stderr.splitlines()), 1, (args, result.stderr))
        self.assertIn(text, result.stderr, args)
        self.assertTrue(result.stderr.startswith("quire"), result.stderr)
