"""A headless Chromium that is driven with real keys and touches, by its own protocol over pipes."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
DESKTOP, PHONE = (1280, 800, False), (390, 844, True)
NAMED_KEYS = {"Backspace": 8, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13}


class Browser:
    """A browser with one tab."""

    def __init__(self, profile, downloads=None):
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "about:blank",
        ]

        def place_pipes():  # the protocol's are 3 and 4
            first, second = os.dup(to_browser), os.dup(from_browser)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            command,
            close_fds=False,
            preexec_fn=place_pipes,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._number, self._rest, self.session, self.events = 0, b"", None, []
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        answer = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = answer["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        if downloads:
            self.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def send(self, method, **params):
        """Call a method of the protocol; what comes before its answer is kept as events."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._read()
            if reply.get("id") == self._number:
                assert "error" not in reply, (method, reply["error"])
                return reply["result"]
            self.events.append(reply)

    def _read(self):
        while b"\0" not in self._rest:
            more = os.read(self._from, 1 << 20)
            assert more, "the browser has ended"
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def run(self, script):
        """The value of a JavaScript expression."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script, seconds=20):
        """Wait until an expression is true, and what it names is there."""
        end, tried = time.monotonic() + seconds, f"try {{ !!({script}) }} catch {{ false }}"
        while not self.run(tried):
            assert time.monotonic() < end, f"{script}; the page says {self.text()!r}"
            time.sleep(0.01)

    def text(self):
        return self.run("document.body.innerText")

    def size(self, width, height, mobile):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def reload(self):
        self.run("window.isOld = true")
        self.send("Page.reload")
        self.wait("!window.isOld && document.readyState === 'complete'")

    def key(self, key):
        """Press a key as a person does."""
        letter = len(key) == 1
        code = f"Key{key.upper()}" if letter and key.isalpha() else key
        number = ord(key.upper()) if letter else NAMED_KEYS[key]
        params = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        text = {"text": "\r" if key == "Enter" else key} if letter or key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **params, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **params)

    def write(self, text):
        self.send("Input.insertText", text=text)

    def tap(self, selector):
        """Touch the middle of an element."""
        place = self.run(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        point = {"x": place[0], "y": place[1]}
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def faults(self):
        """What the page has complained about."""
        self.run("1")
        return [
            event["params"]
            for event in self.events
            if event.get("method") == "Runtime.exceptionThrown"
            or (
                event.get("method") == "Log.entryAdded"
                and event["params"]["entry"]["level"] == "error"
            )
        ]

    def requested(self):
        """Addresses of everything that was asked for."""
        self.run("1")
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def close(self):
        with contextlib.suppress(OSError, AssertionError):
            self.session = None
            self.send("Browser.close")
        self.process.kill()
        self.process.wait(10)
        os.close(self._to)
        os.close(self._from)


@contextlib.contextmanager
def browser(folder, downloads=None):
    """A browser with an empty profile, until the end."""
    one = Browser(folder / "profile", downloads)
    try:
        yield one
    finally:
        one.close()
