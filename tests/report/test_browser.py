"""The page in a real browser, without an error on its console or a request."""

import base64
import json
import re

import pytest
from helpers.browser import chromium
from helpers.report_page import HOSTILE

pytest.importorskip("selenium")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

# The machines that run tests are shared.
PATIENCE_S = 60
DARK, LIGHT = "rgb(21, 24, 29)", "rgb(255, 255, 255)"


@pytest.fixture
def report(finished):
    return finished / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def page(browser, report):
    """The page, freshly opened; no test may leave an error on the console."""
    browser.get_log("browser")
    browser.get(report.as_uri())
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def until(page, condition):
    return WebDriverWait(page, PATIENCE_S, 0.05).until(lambda _: condition())


def names(page):
    return page.execute_script(
        "const cells = document.querySelectorAll('#table tbody tr:not([hidden]) th');"
        "return [...cells].map((cell) => cell.dataset.value.trim());"
    )


def column(page, name):
    return page.execute_script(
        "const cells = document.querySelectorAll(`#table tbody tr:not([hidden]) td.${arguments[0]}`);"
        "return [...cells].map((cell) => cell.dataset.value);",
        name,
    )


def sort_by(page, head):
    page.find_element(By.XPATH, f"//thead//button[text()='{head}']").click()


def look_at(page, name):
    """Open the viewer on an image."""
    page.find_elements(By.CSS_SELECTOR, "#table tbody tr")[names(page).index(name)].find_element(
        By.CLASS_NAME, "thumbnail"
    ).click()
    until(page, lambda: page.find_element(By.ID, "viewed").text == name and paths(page))


def paths(page):
    return page.find_elements(By.CSS_SELECTOR, "#beads path")


def press(page, key):
    ActionChains(page).send_keys(key).perform()


def test_pictures_and_plots_are_shown_and_nothing_is_asked_of_the_network(page, report):
    page.execute_script("document.querySelector('#table').scrollIntoView()")
    until(
        page,
        lambda: page.execute_script(
            "const images = [...document.querySelectorAll('.thumbnail img')];"
            "return images.length === 8 && images.every((image) => image.naturalWidth > 0);"
        ),
    )
    assert len(page.find_elements(By.CSS_SELECTOR, "[data-chart] svg")) == 3
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    # Chromium opens pages of its own as it starts.
    own = [event["request"]["url"] for event in sent if not event["documentURL"].startswith("chrome:")]
    assert {url for url in own if not url.startswith("data:")} == {report.as_uri()}


def test_columns_sort_both_ways_and_the_filter_finds_names_flags_and_states(page):
    everything = names(page)
    assert everything[0] == "words.tif"
    # Both times the plane without a count is the last.
    for reverse in (False, True):
        sort_by(page, "beads")
        *counts, failed = column(page, "count")
        assert failed == ""
        assert counts == sorted(counts, key=int, reverse=reverse)
    sort_by(page, "image")
    assert sorted(names(page)) == sorted(everything)
    assert names(page)[-1] == "words.tif"
    heads = page.find_elements(By.CSS_SELECTOR, "th[aria-sort=ascending], th[aria-sort=descending]")
    assert [head.text.split()[0] for head in heads] == ["image"]

    # "/" is the key of the search.
    press(page, "/")
    press(page, "SIXTEEN")
    assert names(page) == ["deep/sixteen.tif"]
    assert page.find_element(By.ID, "matching").text == f"1 of {len(everything)} planes"
    words = page.find_element(By.ID, "words")
    words.send_keys(Keys.BACKSPACE * 7, "<img")
    assert names(page) == [HOSTILE]
    words.send_keys(Keys.BACKSPACE * 4)
    found = {}
    for state in ("failed", "check", "ok"):
        Select(page.find_element(By.ID, "state")).select_by_value(state)
        found[state] = names(page)
    assert found["failed"] == ["words.tif"]
    assert sorted(found["check"] + found["ok"]) == sorted(everything)


def test_a_plane_is_looked_at_with_the_keyboard_alone(page):
    look_at(page, "deep/sixteen.tif")
    drawn = sum(path.get_attribute("d").count("M") for path in paths(page))
    assert drawn == 7
    press(page, "o")
    assert paths(page) == []
    press(page, "o")
    assert paths(page)
    colours = {paths(page)[0].get_attribute("stroke")}
    for _ in range(3):
        press(page, "c")
        colours.add(paths(page)[0].get_attribute("stroke"))
    assert len(colours) > 1
    # The pixel size is known.
    assert re.fullmatch(r"\d+ µm", page.find_element(By.ID, "bar").text)

    def scale():
        found = re.search(
            r"scale\(([\d.]+)",
            page.find_element(By.CSS_SELECTOR, "#stage svg > g").get_attribute("transform"),
        )
        return float(found[1])

    assert scale() == 1
    press(page, "+")
    until(page, lambda: scale() == pytest.approx(1.5))
    press(page, "0")
    until(page, lambda: scale() == 1)
    before = page.find_element(By.ID, "viewed").text
    press(page, Keys.ARROW_RIGHT)
    until(page, lambda: page.find_element(By.ID, "viewed").text != before)
    press(page, Keys.ARROW_LEFT)
    until(page, lambda: page.find_element(By.ID, "viewed").text == before)
    press(page, Keys.ESCAPE)
    until(page, lambda: page.find_element(By.ID, "viewer").get_attribute("open") is None)


def test_the_wheel_zooms_and_a_bead_under_the_pointer_is_named(page):
    look_at(page, "rgb.png")
    stage = page.find_element(By.CSS_SELECTOR, "#stage svg")
    picture = page.find_element(By.CSS_SELECTOR, "#stage image")
    width = picture.size["width"]
    ActionChains(page).scroll_from_origin(_origin(stage), 0, -400).perform()
    until(page, lambda: picture.size["width"] > 1.2 * width)
    press(page, "0")
    until(page, lambda: picture.size["width"] == width)
    x, y = page.execute_script(
        "const path = document.querySelector('#beads path');"
        "const [x, y] = /M([\\d.]+),([\\d.]+)/.exec(path.getAttribute('d')).slice(1).map(Number);"
        "const at = new DOMPoint(x, y).matrixTransform(path.getScreenCTM()); return [at.x, at.y];"
    )
    mouse = ActionChains(page)
    mouse.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    mouse.perform()
    until(page, lambda: page.find_element(By.ID, "bead").text.startswith("bead "))
    assert re.match(r"bead \d: diameter [\d.]+ px, confidence 0\.\d\d", page.find_element(By.ID, "bead").text)


def _origin(element):
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    return ScrollOrigin.from_element(element)


def background(page):
    return page.execute_script("return getComputedStyle(document.body).backgroundColor")


def test_light_and_dark_a_narrow_window_and_print(page):
    for scheme, colour in (("dark", DARK), ("light", LIGHT)):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        assert background(page) == colour
    # The button goes over the system.
    for colour in (DARK, LIGHT):
        page.find_element(By.ID, "theme").click()
        assert background(page) == colour

    screen = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        words = page.execute_script(
            "const cell = document.querySelector('#table td.count:not(:empty)');"
            "return ['1', '2'].map((count) => { cell.dataset.value = count;"
            "  return getComputedStyle(cell, '::after').content; });"
        )
        assert words == ['" bead"', '" beads"']
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    printed = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
    # Settings are printed too.
    assert page.execute_script("return document.querySelector('details.printed').open")


@pytest.mark.parametrize("width", [1920, 1200, 1000, 800, 600, 390])
def test_the_table_of_images_fits_the_window_with_its_flags(page, width):
    """Also with long names, large figures and several flags."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        table, window, content, end = page.execute_script(
            "const texts = {count: '123,456', interval: '123,456 to 234,567', density: '123,456', "
            "diameter: '123', confidence: '0.99', covered: '99.9', doubt: '100'};"
            "for (const [name, text] of Object.entries(texts))"
            "  for (const cell of document.querySelectorAll(`#table td.${name}`)) cell.textContent = text;"
            "const flags = ['doubtful', 'large-objects', 'out-of-focus'].map((flag) => "
            "  `<span class='flag'>${flag}</span> `).join('');"
            "for (const cell of document.querySelectorAll('#table td.flags')) cell.innerHTML = flags;"
            "for (const cell of document.querySelectorAll('#table tbody th'))"
            "  cell.textContent = '2026-11-26/plate-1/well-B07_field-12_bright-field.ome.tif';"
            "const box = document.querySelector('#images .wide');"
            "const cells = [...document.querySelectorAll('#table .flags, #table .reason, #table .flag')];"
            "return [box.scrollWidth, box.clientWidth, document.documentElement.scrollWidth,"
            "  Math.max(...cells.map((cell) => cell.getBoundingClientRect().right))];"
        )
        assert table <= window
        assert content <= width
        assert end <= width
        hidden = page.execute_script(
            "return [...document.querySelectorAll('#table thead th')].filter((head) => "
            "getComputedStyle(head).display === 'none').map((head) => head.className);"
        )
        assert not {"count", "diameter", "flags", "reason"} & set(hidden)
        assert bool(hidden) == (width < 1200)
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
