"""A headless Chromium of one's own, and what tests ask of a page."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_S = 30


class Browser:
    """A page in a browser."""

    def __init__(self, driver: Any, profile: str, width: int, dark: bool) -> None:
        self._driver, self._profile = driver, profile
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        media = [{"name": name, "value": value} for name, value in features.items()]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def open(self, page: Path) -> None:
        self._driver.get(page.resolve().as_uri())

    def run(self, code: str, *arguments: Any) -> Any:
        """What a function body of JavaScript returns."""
        return self._driver.execute_script(code, *arguments)

    def find(self, selector: str) -> Any:
        return self._driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return self._driver.find_elements("css selector", selector)

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def click(self, selector: str) -> None:
        self._show(selector)
        self.find(selector).click()

    def _show(self, selector: str) -> None:
        """Scroll to an element, away from what sticks to the top."""
        self.run("document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })", selector)

    def press(self, selector: str, *keys: str) -> None:
        """Focus an element and press keys."""
        self.run("document.querySelector(arguments[0]).focus()", selector)
        for key in keys:
            self._driver.switch_to.active_element.send_keys(key)

    def click_at(self, selector: str, x: float, y: float) -> None:
        """Click a place within an element, in pixels from its upper left corner."""
        from selenium.webdriver.common.action_chains import ActionChains

        self._show(selector)
        element = self.find(selector)
        size = element.size
        chain = ActionChains(self._driver)
        chain.move_to_element_with_offset(element, x - size["width"] / 2, y - size["height"] / 2).click().perform()

    def until(self, happened: Callable[[], Any]) -> Any:
        """Wait until something is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := happened()):
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.02)
        return found

    def messages(self) -> list[str]:
        """What the console was told since the last time."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses asked for since the last time."""
        entries = (json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance"))
        return [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]

    def has_dialog(self) -> bool:
        from selenium.common.exceptions import NoAlertPresentException

        try:
            return bool(self._driver.switch_to.alert)
        except NoAlertPresentException:
            return False

    def tree(self) -> list[dict[str, Any]]:
        """Nodes of the accessibility tree, those that are ignored left out."""
        nodes = self._driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [node for node in nodes if not node["ignored"]]

    def quit(self) -> None:
        self._driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)


def chromium(width: int, dark: bool) -> Browser:
    """Start one; skips where none is to be had."""
    selenium = pytest.importorskip("selenium.webdriver", reason="needs selenium: make setup")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("needs a browser: make browser, or apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = program
    profile = tempfile.mkdtemp(prefix="chromium-")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = selenium.ChromeService(driver)
    return Browser(selenium.Chrome(options=options, service=service), profile, width, dark)
