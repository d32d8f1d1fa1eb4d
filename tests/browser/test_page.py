"""The page of `krmfn matrix --html`, used as a person uses it."""

from __future__ import annotations

import json
import socket
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from krmfn.matrix.page import page as render
from krmfn.matrix.table import Column, table
from tests.support.audits import audited, claim, secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("browser")]
DESKTOP, PHONE = (1280, 860), (320, 640)
HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "'-alert(1)-'",
)


class Screen:
    """A tab with the page in it."""

    def __init__(self, driver: Chrome, file: Path) -> None:
        self.driver = driver
        self.file = file

    def open(
        self, size: tuple[int, int] = DESKTOP, scheme: str = "light", *, scripts: bool = True
    ) -> None:
        """Load the page anew."""
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        preferred = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in preferred.items()]
        self.command("Emulation.setEmulatedMedia", media="", features=features)
        self.command("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.driver.get(self.file.as_uri())

    def command(self, name: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, parameters)

    def script(self, text: str, *arguments: Any) -> Any:
        return self.driver.execute_script(text, *arguments)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def rows(self) -> list[str]:
        """The names of the Secrets that are shown."""
        return [e.text for e in self.all("tbody tr:not([hidden]) .name")]

    def status(self) -> str:
        return str(self.one("#status").text)

    def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """What has the focus: a cell as ``row/column``, else its id."""
        return str(
            self.script(
                "const e = document.activeElement, row = e.closest('tbody tr');"
                "return row && e.matches('.cell') ? row.querySelector('.name').textContent + '/' +"
                "e.querySelector('.where').textContent : e.id || e.tagName.toLowerCase()"
            )
        )

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last call."""
        messages = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return [
            m["params"]["request"]["url"]
            for m in messages
            if m["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What the console says since the last call."""
        return [e["message"] for e in self.driver.get_log("browser")]


@pytest.fixture
def screen(driver: Chrome, page: Path) -> Iterator[Screen]:
    found = Screen(driver, page)
    found.requests()
    found.complaints()
    found.open()
    yield found
    found.command("Emulation.setScriptExecutionDisabled", value=False)


def test_nothing_is_asked_of_anybody(screen: Screen) -> None:
    """Whatever one does, the page itself is all that is loaded, and nothing is complained of."""
    screen.press("/", "shop", Keys.ESCAPE)
    for element in [*screen.all(".filter"), *screen.all(".cell"), screen.one("#theme")]:
        element.click()
    assert set(screen.requests()) - {"data:,"} == {screen.file.as_uri()}
    assert screen.complaints() == []


def test_the_policy_holds(screen: Screen) -> None:
    """What somebody puts into the page runs nothing, styles nothing and asks nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        screen.script(INTRUDE, f"http://127.0.0.1:{server.getsockname()[1]}/")
        wait = WebDriverWait(screen.driver, 20)
        wait.until(lambda _: screen.script("return broken.length >= 4"))
        with pytest.raises(BlockingIOError):
            server.accept()
    assert screen.script("return broken.sort()") == [
        "connect-src",
        "img-src",
        "script-src-elem",
        "style-src-elem",
    ]
    assert screen.driver.title == "Secrets by environment"


INTRUDE = """
window.broken = [];
addEventListener('securitypolicyviolation', (e) => broken.push(e.effectiveDirective));
const add = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
add('script', {textContent: 'document.title = "owned"'});
add('style', {textContent: 'body { opacity: 0 }'});
add('img', {src: arguments[0] + 'x.png'});
fetch(arguments[0]).catch(() => 0);
"""


def test_search(screen: Screen) -> None:
    """All words must stand in a row or its details: names, keys, objects, types."""
    every = screen.rows()
    assert len(every) == 7
    screen.press("/")
    assert screen.focused() == "query"
    screen.press("SMTP")
    assert screen.rows() == ["shop-smtp"]
    assert screen.status() == "1 of 7 Secrets"
    screen.press(Keys.ESCAPE)
    assert screen.rows() == every
    screen.press("kubernetes.io/tls committed")
    assert screen.rows() == ["shop-tls"]
    screen.press(Keys.ESCAPE, "job/backup")
    assert screen.rows() == ["shop-backup", "shop-db"]
    screen.press("nothing at all")
    assert screen.rows() == []
    assert screen.status() == "0 of 7 Secrets"
    screen.one("#clear").click()
    assert screen.rows() == every


def test_filters(screen: Screen) -> None:
    """A chip shows the rows that have its state anywhere; several add up; the count is right."""
    counts = {e.get_attribute("data-tag"): e for e in screen.all(".filter")}
    for tag, element in counts.items():
        element.click()
        assert element.get_attribute("aria-pressed") == "true"
        assert len(screen.rows()) == int(element.find_element(By.CLASS_NAME, "count").text), tag
        element.click()
    counts["missing"].click()
    assert screen.rows() == ["shop-postgres-app", "shop-smtp", "shop-tls"]
    counts["differs"].click()
    assert screen.rows() == ["shop-db", "shop-postgres-app", "shop-smtp", "shop-tls"]
    screen.press("/", "smtp")
    assert screen.rows() == ["shop-smtp"]
    screen.press(Keys.ESCAPE)
    assert len(screen.rows()) == 7
    assert not screen.all(".filter[aria-pressed=true]")


def test_keyboard(screen: Screen) -> None:
    """Arrows move between cells and over hidden rows; one cell takes part in Tab; Esc closes."""
    assert len(screen.all(".cell[tabindex='0']")) == 1
    screen.all(".cell")[0].send_keys(Keys.ARROW_RIGHT)
    assert screen.focused() == "shop-backup/staging"
    screen.press(Keys.ARROW_DOWN, Keys.END)
    assert screen.focused() == "shop-db/production"
    screen.press(Keys.ARROW_RIGHT)
    assert screen.focused() == "shop-db/production"
    screen.press(Keys.HOME, Keys.ARROW_UP, Keys.ARROW_UP)
    assert screen.focused() == "shop-backup/dev"
    assert len(screen.all(".cell[tabindex='0']")) == 1
    screen.one(".filter[data-tag=missing]").click()
    screen.all("tbody tr:not([hidden]) .cell")[1].send_keys(Keys.ARROW_DOWN)
    assert screen.focused() == "shop-smtp/staging"
    screen.press(Keys.ENTER)
    assert screen.one("#panel").is_displayed()
    screen.press(Keys.TAB)
    assert screen.focused() == "close"
    screen.press(Keys.ESCAPE)
    assert not screen.one("#panel").is_displayed()
    assert screen.focused() == "shop-smtp/staging"


def test_details(screen: Screen) -> None:
    """A cell's facts: where, by whom, which keys, who uses it; the panel follows the arrows."""
    cells = {e.get_attribute("href").rpartition("#")[2]: e for e in screen.all(".cell")}
    cells["c5-0"].click()
    panel = screen.one("#panel")
    text = panel.text
    for fact in ("shop-smtp in dev", "plain", "Secret/shop-smtp", "Deployment/shop", "username"):
        assert fact in text
    assert "key username only in production" in text
    assert cells["c5-0"].get_attribute("aria-current") == "true"
    screen.press(Keys.ARROW_RIGHT)
    assert "shop-smtp in staging" in panel.text
    assert "missing" in panel.text
    screen.press(Keys.ARROW_UP)
    assert "shop-registry in staging" in panel.text
    assert "stg-shop-registry" in panel.text
    screen.one("#close").click()
    assert not panel.is_displayed()


def test_a_filter_that_hides_a_cell_closes_its_details(screen: Screen) -> None:
    """The panel never speaks of a row that is not there."""
    screen.all(".cell")[0].click()
    screen.press("/", "smtp")
    assert not screen.one("#panel").is_displayed()


def brightness(screen: Screen) -> float:
    """Of the page's ground, 0 to 1."""
    colour = screen.script("return getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in colour.strip("rgb()").split(","))
    return (red + green + blue) / 765


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_mode(screen: Screen, scheme: str) -> None:
    """The system's choice counts until the button is pressed, which changes it and says so."""
    screen.open(scheme=scheme)
    dark = scheme == "dark"
    for expected in (dark, not dark, dark):
        assert (brightness(screen) < 0.2) is expected
        assert screen.one("#theme").get_attribute("aria-pressed") == str(expected).lower()
        screen.one("#theme").click()


def test_without_a_script(screen: Screen) -> None:
    """Everything can be read: the table, and behind each cell's link its details."""
    screen.open(scripts=False)
    assert len(screen.all("tbody tr")) == 7
    assert not screen.one(".tools").is_displayed()
    assert not screen.one("#theme").is_displayed()
    for cell in screen.all(".cell"):
        place = cell.get_attribute("href").rpartition("#")[2]
        assert screen.one(f"#{place}").is_displayed()
    assert "Deployment/shop" in screen.one("#c5-0").text


@pytest.mark.parametrize("size", [PHONE, (375, 700), (768, 900), DESKTOP, (1920, 1000)])
def test_nothing_sticks_out(screen: Screen, size: tuple[int, int]) -> None:
    """The page is never wider than the window, with details open too, and no text is cut off."""
    screen.open(size)
    for open_ in (False, True):
        if open_:
            screen.all(".cell")[-1].click()
        width = screen.script("return document.documentElement.scrollWidth")
        assert width <= size[0]
    cut = screen.script(
        """
        return [...document.querySelectorAll('.chip, .name, .lacks, .equal, .overlay, button')]
          .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 &&
                  getComputedStyle(e).display !== 'inline').map((e) => e.textContent.trim());
        """
    )
    assert cut == []


def test_header_and_names_stay(screen: Screen) -> None:
    """While the table scrolls, its head and its first column stay, and hide no cell one moves to."""
    screen.open((700, 400))
    wide = (
        "document.querySelectorAll('thead th + th').forEach((e) => { e.style.minWidth = '16rem'; })"
    )
    screen.script(wide)  # as with more overlays
    before = screen.script(STUCK)
    screen.script("document.querySelector('.scroll').scrollBy(120, 200)")
    assert screen.script("return document.querySelector('.scroll').scrollLeft") > 0
    assert screen.script(STUCK) == before
    screen.all(".cell")[-1].send_keys(*[Keys.ARROW_UP] * 5, *[Keys.ARROW_LEFT] * 2)
    assert screen.focused() == "shop-db/dev"
    assert screen.script(COVERED) == []


@pytest.mark.parametrize("size", [PHONE, (700, 640), DESKTOP])
def test_details_cover_no_cell_that_they_are_of(screen: Screen, size: tuple[int, int]) -> None:
    """The panel follows the arrows, and the cell that it speaks of can be seen beside it."""
    screen.open(size)
    screen.all(".cell")[0].send_keys(Keys.ENTER, Keys.ARROW_RIGHT)
    for _ in range(6):
        screen.press(Keys.ARROW_DOWN)
        assert screen.script(BESIDE) == ""
    assert screen.focused() == "shop-tls/staging"


BESIDE = """
const cell = document.activeElement, box = cell.getBoundingClientRect();
const seen = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
return cell.contains(seen) ? '' : cell.getAttribute('href') + ' under ' + (seen && seen.outerHTML);
"""
COVERED = """
const cell = document.activeElement.getBoundingClientRect();
const top = document.querySelector('thead th').getBoundingClientRect();
return [cell.top < top.bottom - 1 ? 'by the head' : '', cell.left < top.right - 1 ? 'by names' : '']
  .filter(Boolean);
"""
STUCK = """
const box = document.querySelector('.scroll').getBoundingClientRect();
return [document.querySelector('thead th').getBoundingClientRect().top - box.top,
        document.querySelector('thead th').getBoundingClientRect().left - box.left,
        document.querySelector('tbody th').getBoundingClientRect().left - box.left];
"""

# Text against what is behind it, as WCAG 2 computes it; too faint is under 4.5.
FAINT = """
const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
    if (c[3] > 0) throw new Error('a ground that shines through');
  }
  return [255, 255, 255];
};
const faint = [];
let count = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !e.checkVisibility() || e.closest('script')) continue;
  const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  count += 1;
  if (ratio < 4.5) faint.push(`${walker.currentNode.textContent.trim()} ${ratio.toFixed(2)}`);
}
return [count, faint];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_contrast(screen: Screen, size: tuple[int, int], scheme: str) -> None:
    """Every text stands out from its ground by 4.5 to 1 at least, in both themes."""
    screen.open(size, scheme)
    screen.all(".cell")[-2].send_keys(Keys.ENTER)
    count, faint = screen.script(FAINT)
    assert count > 80
    assert faint == []
    screen.one(".filter").click()
    screen.press("/", "nothing")
    assert screen.script(FAINT)[1] == []


def test_structure(screen: Screen) -> None:
    """What a screen reader is told: language, title, names, roles, headers, a live count."""
    assert screen.one("html").get_attribute("lang") == "en"
    assert screen.driver.title
    assert [e.tag_name for e in screen.all("h1")] == ["h1"]
    screen.all(".cell")[0].click()
    for element in screen.all("button, input, aside, [role=region], [role=group], form"):
        if element.is_displayed():
            assert element.accessible_name, element.get_attribute("outerHTML")
    assert screen.one("caption").get_attribute("textContent")
    assert {e.get_attribute("scope") for e in screen.all("thead th")} == {"col"}
    assert {e.get_attribute("scope") for e in screen.all("tbody th")} == {"row"}
    assert screen.one("#status").get_attribute("aria-live") == "polite"
    ids = [e.get_attribute("id") for e in screen.all("[id]")]
    assert len(ids) == len(set(ids))
    for element in screen.all("[aria-labelledby]"):
        assert element.get_attribute("aria-labelledby") in ids
    headings = [int(e.tag_name[1]) for e in screen.all("h1, h2, h3")]
    assert all(after - before <= 1 for before, after in pairwise(headings))


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_it_is_a_table_for_everybody(screen: Screen, size: tuple[int, int]) -> None:
    """Also as cards on a phone, the browser tells of a table with rows, headers and cells."""
    screen.open(size)
    nodes = screen.command("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node.get("ignored")]
    assert roles.count("table") == 1
    assert roles.count("row") == 8
    assert roles.count("rowheader") == 7
    assert roles.count("columnheader") == 4
    assert roles.count("cell") == 21


def test_paper(screen: Screen) -> None:
    """Printed, the tools go, the details come, and it is light."""
    screen.open(scheme="dark")
    screen.command("Emulation.setEmulatedMedia", media="print")
    assert not screen.one(".tools").is_displayed()
    assert screen.one("#c5-0").is_displayed()
    assert brightness(screen) > 0.8


def test_hostile_names(driver: Chrome, tmp_path: Path) -> None:
    """Names that look like markup are shown as they are, and do nothing."""
    columns = [Column(n, n, audited(claim(n, n), secret("s", n)), str) for n in HOSTILE]
    file = tmp_path / "hostile.html"
    file.write_text(render(table(columns)))
    screen = Screen(driver, file)
    screen.open()
    assert sorted(screen.rows()) == sorted([*HOSTILE, "s"])
    for cell in screen.all(".cell"):
        cell.send_keys(Keys.ENTER)
        assert screen.one("#panel").is_displayed()
    screen.press("/", HOSTILE[0])
    assert HOSTILE[0] in screen.rows()
    assert screen.driver.title == "Secrets by environment"
    assert screen.all("img, iframe, object, embed, [onerror]") == []
    assert len(screen.all("script")) == 1
