"""The list of series: finding, choosing, deleting, and dropping a table onto it."""

import re

from playwright.sync_api import Page, expect

from tests.web.conftest import Site

DROP = """text => {
  const data = new DataTransfer();
  data.items.add(new File([text], "dropped.csv"));
  for (const name of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true}));
  }
}"""


def test_search_and_labels_narrow_the_list_and_stay_in_the_address(site: Site, page: Page) -> None:
    page.goto(site.link("series"))
    rows = page.locator("tbody tr")
    expect(page.get_by_role("link", name="a", exact=True)).to_be_visible()
    page.get_by_role("searchbox").press_sequentially("SOUTH")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("b")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("group", name="Labels that must hold").get_by_role("button", name="region north").press("Enter")
    expect(rows).to_have_count(1)
    page.reload()
    expect(rows).to_have_count(1)
    expect(rows.get_by_role("link", name="a", exact=True)).to_be_visible()
    page.get_by_role("searchbox").fill("no such ")
    expect(page.get_by_text("No series fits this search")).to_be_visible()
    page.get_by_role("searchbox").press_sequentially("text")
    expect(page).to_have_url(re.compile(r"q=no\+such\+text$"))
    page.get_by_role("link", name="Show all series").press("Enter")
    expect(page.get_by_role("link", name="b", exact=True)).to_be_visible()


def test_a_row_says_what_is_known_of_a_series(site: Site, page: Page) -> None:
    page.goto(site.link("series?labels=region:north"))
    row = page.locator("tbody tr")
    newest = site.service.call("GET", "/series?prefix=a&recent=1")["items"][0]["recent"]["y"][0]
    expect(row).to_contain_text(f"{newest:.3g}"[:2])
    expect(row).to_contain_text("kW")
    expect(row).to_contain_text("400")
    expect(row.locator("svg.sparkline path")).to_have_count(1)
    expect(row.locator(".health .badge")).to_be_visible()


def test_chosen_series_are_deleted_after_a_question_or_trained_on(site: Site, page: Page) -> None:
    for name in ("gone 1", "gone/2"):
        site.service.call("POST", "/series", {"id": name, "freq": "D"})
    page.goto(site.link("series?q=gone"))
    page.get_by_role("checkbox", name="All series of this page").press("Space")
    expect(page.get_by_role("link", name="Train a model on these")).to_have_attribute(
        "href", "#/train?series=%5B%22gone+1%22%2C%22gone%2F2%22%5D"
    )
    page.get_by_role("button", name="Delete …").press("Enter")
    page.keyboard.press("Enter")  # the focus is on what deletes nothing
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete 2 series").click()
    expect(page.get_by_text("No series fits this search")).to_be_visible()
    assert site.service.call("GET", "/series?prefix=gone")["items"] == []


def test_pages_are_links(site: Site, page: Page) -> None:
    ids = [f"many {n:02d}" for n in range(60)]
    for name in ids:
        site.service.call("POST", "/series", {"id": name, "freq": "D"})
    page.goto(site.link("series?q=many"))
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Next →").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(10)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(10)
    page.get_by_role("link", name="← Back").press("Enter")
    expect(page.get_by_role("link", name="many 00")).to_be_visible()
    for name in ids:
        site.service.call("DELETE", f"/series/{name.replace(' ', '%20')}")


def test_a_table_that_is_dropped_onto_the_list_is_checked_and_not_written(site: Site, page: Page) -> None:
    page.goto(site.link("series"))
    expect(page.locator("tbody tr").first).to_be_visible()
    page.evaluate(DROP, "unique_id,ds,y\ndropped,2024-01-01,1\ndropped,2024-01-02,2\ndropped,2024-01-03,3\n")
    expect(page.locator("main h1")).to_have_text("Import tables")
    expect(page.get_by_text("3 rows of 1 series would be written.")).to_be_visible()
    assert site.service.call("GET", "/series?prefix=dropped")["items"] == []
