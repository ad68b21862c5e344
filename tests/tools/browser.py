# SPDX-License-Identifier: MIT
"""A headless Chromium, spoken to through chromedriver by W3C WebDriver: only what the tests of pages need."""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
WANTED = os.environ.get("QR_TEST_BROWSER", "yes") != "no"
PRESENT = bool(WANTED and CHROMIUM and DRIVER)
WHY_NOT = (
    "there is no chromium with its chromedriver here (Debian: chromium, chromium-driver)"
    if WANTED
    else "QR_TEST_BROWSER=no"
)


class Browser:
    """A browser of its own, with a profile of its own; a context manager."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="quire-browser-"))
        self.driver = None
        self.session = None

    def __enter__(self):
        try:
            self._start_driver()
            self._start_session()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self._call("DELETE", "")
        except (OSError, RuntimeError):
            pass  # it is about to end anyway
        if self.driver:
            self.driver.terminate()
            self.driver.wait(20)
            self.driver.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_driver(self):
        # It chooses a free port by itself, and says which.
        self.driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.driver.stdout:
            port = re.search(r"started successfully on port (\d+)", line)
            if port:
                self.base = "http://127.0.0.1:" + port.group(1)
                return
        raise RuntimeError("chromedriver did not start")

    def _start_session(self):
        arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            f"--user-data-dir={self.directory}",
        ]  # fmt: skip
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": CHROMIUM, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        answer = self._request("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = answer["sessionId"]

    def _request(self, method, path, body=None, timeout=90):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # straight to the driver
        try:
            with opener.open(request, timeout=timeout) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def _call(self, method, path, body=None):
        return self._request(method, f"/session/{self.session}{path}", body)

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screen(self, width, height, dark=False, mobile=False, script=True):
        """What the pages that are opened from here on are shown on."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        self.devtools("Emulation.setScriptExecutionDisabled", value=not script)

    def open(self, path):
        self._call("POST", "/url", {"url": pathlib.Path(path).resolve().as_uri()})

    def blank(self):
        """An empty page, and nothing remembered of any other."""
        self._call("POST", "/url", {"url": "about:blank"})
        self.logged()
        self.requested()

    def run(self, script, *args):
        """The value of a function's body."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def frames(self):
        """Until what was done has been drawn."""
        script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(true)))"
        self._call("POST", "/execute/async", {"script": script, "args": []})

    def wait(self, script, seconds=30):
        """Until it is true, or (false) no longer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run(script):
                return True
            time.sleep(0.05)
        return False

    def point(self, x, y):
        """Move the mouse there."""
        actions = [{"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}]
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def drag(self, x, y, dx, dy):
        """Press the mouse there, and let it go elsewhere."""
        actions = [
            {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "duration": 50, "origin": "pointer", "x": dx, "y": dy},
            {"type": "pointerUp", "button": 0},
        ]
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def keys(self, text):
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def logged(self):
        """All that the console has been told since it was last asked: (level, message)."""
        return [(entry["level"], entry["message"]) for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def requested(self):
        """All addresses that pages have asked for since this was last called."""
        messages = [json.loads(entry["message"])["message"] for entry in self._call("POST", "/se/log", {"type": "performance"})]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def picture(self, whole=False):
        """A PNG of what is seen, or of the whole page."""
        if not whole:
            return base64.b64decode(self._call("GET", "/screenshot"))
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        return base64.b64decode(self.devtools("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])
