#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the host does to a recording: full disks, interruptions, tracefs that is not there, no permission."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

from program import QUIRE, run, run_uncounted
from traces import REDIS, TRACEFS, TraceTest, balanced

ROOT = os.geteuid() == 0
CAN_RECORD = ROOT and TRACEFS.exists()
needs_root = unittest.skipUnless(ROOT and shutil.which("unshare"), "needs root and unshare")
needs_recorder = unittest.skipUnless(CAN_RECORD, "needs root and tracefs")


def as_nobody(directory):
    """The program as somebody without rights; None where that cannot be had."""
    if not ROOT:
        return [QUIRE]
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", os.path.abspath(QUIRE)]
    directory.chmod(0o777)
    try:
        return command if run_uncounted([*command, "--version"]).returncode == 0 else None
    except FileNotFoundError:
        return None


class HostTest(TraceTest):
    def refused(self, result, *texts):
        """Exit status 4, one line that has these texts, and nothing left behind."""
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        for text in texts:
            self.assertIn(text, result.stderr)


class FullDisk(HostTest):
    def limited(self, size, *args, stdin=None):
        return run_uncounted(
            [QUIRE, *map(str, args)],
            input=stdin,
            restore_signals=False,  # the limit below must not kill
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        )

    def test_saved_end(self):
        for size in (10, 1000, 30000):
            self.refused(self.limited(size, "replay", "--quiet", "--save-end", self.path, REDIS), "cannot write")
        self.assertEqual(self.left(), [])

    def test_file_that_stood_there_stays(self):
        self.path.write_text("precious")
        self.refused(self.limited(10, "import", "--force", "-o", self.path, stdin=balanced()), "cannot write")
        self.assertEqual(self.path.read_text(), "precious")
        self.assertEqual(self.left(), [self.path.name])

    def test_what_is_no_file_is_not_replaced(self):
        result = run("import", "--force", "-o", "/dev/full", stdin=balanced())
        self.refused(result, "/dev/full: is not a regular file")

    @needs_root
    def test_file_system_that_is_full(self):
        """A real one, of a few pages: it is mounted where nobody else sees it."""
        script = 'mount -t tmpfs -o size=16k none "$1" && "$2" replay --quiet --save-end "$1/end.qtrace" "$3"; echo "left: $? $(ls -A "$1")"'
        result = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", self.directory, QUIRE, REDIS], capture_output=True, text=True
        )
        self.assertIn("No space left on device", result.stderr)
        self.assertEqual(result.stdout, "left: 4 \n")


class Killed(HostTest):
    def test_import_leaves_nothing(self):
        try:
            os.close(os.open(self.directory, os.O_TMPFILE | os.O_WRONLY))
        except OSError:
            self.skipTest("the file system has no nameless files")
        for how in (signal.SIGINT, signal.SIGKILL):
            importing = subprocess.Popen([QUIRE, "import", "-o", self.path], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            importing.stdin.write(balanced().encode() * 3000)
            importing.stdin.flush()
            importing.send_signal(how)
            self.assertEqual(importing.wait(timeout=50), -how)
            importing.stdin.close()
            self.assertEqual(self.left(), [], how)

    def test_replay_prints_what_there_is(self):
        replay = subprocess.Popen(
            [QUIRE, "replay", "--quiet", "--json", *["--compare", "cpus=1"] * 15, REDIS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(1.5)
        replay.send_signal(signal.SIGINT)
        out, err = replay.communicate(timeout=50)
        self.assertEqual((replay.returncode, err), (130, ""))
        document = json.loads(out)
        self.assertLess(len(document.get("runs", [])), 16)

    def test_interrupted_report_says_so(self):
        # Later and later, until one of the replays has come to its end, which takes long on a busy machine.
        for delay in (1.5, 5, 15):
            replay = subprocess.Popen([QUIRE, "replay", "--quiet", *["--compare", "cpus=1"] * 15, REDIS], stdout=subprocess.PIPE, text=True)
            time.sleep(delay)
            replay.send_signal(signal.SIGINT)
            out, _ = replay.communicate(timeout=50)
            self.assertEqual(replay.returncode, 130)
            if out:
                break
        self.assertIn("replayed", out)


class Recording(HostTest):
    def record(self, *args, env=None, wrapper=(), **kwargs):
        return subprocess.run(
            [*wrapper, QUIRE, "record", "--quiet", "-o", str(self.path), *args],
            capture_output=True, text=True, timeout=100, env={**os.environ, **(env or {})}, **kwargs,
        )

    @needs_recorder
    def test_interrupted_keeps_what_was_recorded(self):
        for args, code in (((), 0), (("--seconds", "60"), 130), (("--", "sleep", "60"), 130)):
            self.path.unlink(missing_ok=True)
            recording = subprocess.Popen(
                [QUIRE, "record", "--quiet", "--json", "-o", str(self.path), *args], stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            time.sleep(2.5)
            os.killpg(recording.pid, signal.SIGINT)
            out, _ = recording.communicate(timeout=100)
            self.assertEqual(recording.returncode, code, args)
            document = json.loads(out)
            info = self.info()
            self.assertFalse(info["truncated"])
            self.assertEqual(info["events"], document["events"])
            self.assertGreater(info["events"], 0)
            self.assertEqual(self.replay()["events"], info["events"])

    @needs_recorder
    def test_progress_line(self):
        result = subprocess.run([QUIRE, "record", "-o", self.path, "--seconds", "6"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"recording: \d+ s, about .+ events, .+ a second, 0 lost\n")
        self.assertRegex(result.stdout, r"events in [56]\.\d s, .* bytes\nNext: quire replay ")

    @needs_recorder
    def test_lost_events_are_told(self):
        code = "import mmap\nfor i in range(6):\n m = mmap.mmap(-1, 16 << 20)\n for _ in range(4096): m.write(b'x' * 4096)\n m.close()"
        result = self.record("--buffer", "64K", "--json", "--", "sh", "-c", f"for i in 1 2 3 4; do python3 -c \"$0\" & done; wait", code)
        self.assertEqual(result.returncode, 0, result.stderr)
        lost = json.loads(result.stdout)["lost"]
        if not lost:
            self.skipTest("this host is too quick to lose any")
        self.assertIn("events were lost; say --buffer", result.stderr)
        self.assertEqual(self.info()["lost"], lost)
        self.assertEqual(self.replay()["lost"], lost)

    @needs_recorder
    @needs_root
    def test_tracefs_is_mounted_where_it_is_not(self):
        script = 'umount -l /sys/kernel/tracing /sys/kernel/debug/tracing 2>/dev/null; ! test -e /sys/kernel/tracing/events && exec "$@"'
        result = self.record("--seconds", "1", wrapper=("unshare", "-m", "sh", "-c", script, "sh"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(self.info()["events"], 0)

    @needs_recorder
    @needs_root
    def test_no_room_for_the_events(self):
        script = 'mount -t tmpfs -o size=64k none "$1" && export TMPDIR="$1" && shift && exec "$@"'
        room = self.directory / "room"
        room.mkdir()
        before = self.instances()
        code = "m = bytearray(64 << 20)\nfor i in range(0, len(m), 4096): m[i] = 1"
        result = self.record("--", "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do python3 -c \"$0\"; done", code, wrapper=("unshare", "-m", "sh", "-c", script, "sh", str(room)))
        self.refused(result, "No space left on device", "TMPDIR")
        self.assertEqual(self.left(), [])
        self.assertEqual(self.instances() - before, set())

    @needs_recorder
    def test_a_command_that_is_not_there(self):
        result = self.record("--", "no-such-command-anywhere")
        self.assertEqual(result.returncode, 4)
        self.assertIn("no-such-command-anywhere cannot be started", result.stderr)
        self.assertEqual(self.left(), [])

    @needs_recorder
    def test_a_command_that_fails(self):
        result = self.record("--", "sh", "-c", "exit 7")
        self.assertEqual(result.returncode, 0)
        self.assertIn("note: sh ended with status 7", result.stderr)

    def instances(self):
        left = [path.name for path in (TRACEFS.parents[1] / "instances").iterdir() if path.name.startswith("quire.")]
        return {name for name in left if not os.path.exists(f"/proc/{name.split('.')[1]}")}

    @needs_recorder
    def test_no_instance_is_left_behind(self):
        before = self.instances()
        self.record("--seconds", "0.5")
        self.record("--", "no-such-command-anywhere")
        self.record("--force", "--seconds", "0.5", "--", "sleep", "5")  # outlives the recording
        self.assertEqual(self.instances() - before, set())

    def recording(self, *args):
        """A recorder under way, and its instance."""
        child = subprocess.Popen([QUIRE, "record", "--quiet", "-o", self.path, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        instance = TRACEFS.parents[1] / "instances" / f"quire.{child.pid}"
        self.assertTrue(self.until(lambda: (instance / "tracing_on").exists() and (instance / "tracing_on").read_text() == "1\n"))
        return child, instance

    def until(self, true, seconds=20):
        end = time.monotonic() + seconds
        while not true() and time.monotonic() < end:
            time.sleep(0.02)
        return true()

    @needs_recorder
    def test_killed_recorder_traces_no_more(self):
        for args in (("--seconds", "60"), ("--", "sleep", "60")):
            child, instance = self.recording(*args)
            child.kill()
            self.assertEqual(child.wait(), -signal.SIGKILL)
            self.assertTrue(self.until(lambda: not instance.exists()), args)
        self.assertEqual(self.left(), [])

    @needs_recorder
    def test_next_recorder_removes_what_all_killed_ones_left(self):
        child, instance = self.recording("--seconds", "60")
        for pid in pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        child.kill()
        child.wait()
        time.sleep(0.5)
        self.assertTrue(instance.exists())  # nobody was there to remove it
        self.assertEqual(self.record("--seconds", "0.2").returncode, 0)
        self.assertFalse(instance.exists())

    @needs_recorder
    def test_recorders_leave_each_other_alone(self):
        child, instance = self.recording()
        other = self.directory / "other.qtrace"
        self.good("record", "--quiet", "-o", other, "--seconds", "0.5")
        self.assertTrue(instance.exists())
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(100), 0)
        self.assertGreater(self.info()["events"], self.info(other)["events"])
        self.assertFalse(instance.exists())

    def test_without_permission(self):
        command = as_nobody(self.directory)
        if not command:
            self.skipTest("another user cannot start the program where it lies")
        result = run_uncounted([*command, "record", "-o", str(self.path), "--", "true"], cwd="/")
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertRegex(result.stderr, re.compile("root|sudo|permission", re.I))
        self.assertEqual(self.left(), [])

    def test_nobody_can_still_read(self):
        command = as_nobody(self.directory)
        if not command:
            self.skipTest("another user cannot start the program where it lies")
        copy = self.directory / "copy.qtrace"
        copy.write_bytes(REDIS.read_bytes())
        copy.chmod(0o644)
        for verb in (["info"], ["replay", "--quiet"], ["show", "map"]):
            result = run_uncounted([*command, *verb, str(copy)], cwd="/")
            self.assertEqual((result.returncode, result.stderr), (0, ""), verb)
        copy.chmod(0o600)
        result = run_uncounted([*command, "info", str(copy)], cwd="/")
        if ROOT:
            self.assertEqual(result.returncode, 3)
            self.assertIn("Permission denied", result.stderr)
        closed = self.directory / "closed"
        closed.mkdir(mode=0o755)
        result = run_uncounted([*command, "import", "-o", str(closed / "x.qtrace")], input=balanced(), cwd="/")
        if ROOT:
            self.refused(result, "Permission denied")
            self.assertEqual(list(closed.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
