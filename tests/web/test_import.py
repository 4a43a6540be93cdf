"""Import: what a table would do is seen first, and a refusal stands beside what settles it."""

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.web.conftest import Site


def choose(page: Page, name: str, text: str) -> Locator:
    """Give the page a file, and return what it shows of it."""
    content: FilePayload = {"name": name, "mimeType": "", "buffer": text.encode()}
    page.locator("gc-file-drop input").set_input_files(content)
    return page.get_by_role("region", name=name, exact=True)


def test_a_date_that_reads_two_ways_is_settled_by_keyboard(site: Site, page: Page) -> None:
    page.goto(site.link("import"))
    rows = "".join(f"day first,0{n}/02/2024,{n}\n" for n in (1, 2, 3))
    table = choose(page, "days.csv", f"unique_id,ds,y\n{rows}")
    expect(table.get_by_role("alert")).to_contain_text("ds_format=%d/%m/%Y or 2024-01-02 with ds_format=%m/%d/%Y")
    expect(table.get_by_label("How times are written")).to_be_focused()
    page.keyboard.type("%d/%m/%Y")
    page.keyboard.press("Enter")
    expect(table).to_contain_text("3 rows of 1 series would be written.")
    expect(table).to_contain_text("1 series is new, daily (D), by the clock of UTC.")
    assert site.service.call("GET", "/series?prefix=day")["items"] == []
    table.get_by_role("button", name="Copy as curl").press("Enter")
    expect(page.get_by_text("curl copied")).to_be_visible()
    assert "--data-binary @'days.csv'" in page.evaluate("navigator.clipboard.readText()")
    table.get_by_role("button", name="Write it").press("Enter")
    expect(table.get_by_role("link", name="Open day first")).to_be_visible()
    assert site.service.call("GET", "/series/day%20first")["first_ds"] == "2024-02-01T00:00:00+00:00"


def test_bad_rows_are_listed_and_left_out(site: Site, page: Page) -> None:
    page.goto(site.link("import"))
    rows = "".join(f"holed;2024-01-{n:02d};{'what' if n in (5, 9) else n};{n},5\n" for n in range(1, 21))
    table = choose(page, "holes.csv", f"unique_id;ds;y;warmth\n{rows}")
    expect(table.locator(".rejected tbody tr")).to_have_count(2)
    table.get_by_role("button", name="Leave the bad rows out").click()
    expect(table).to_contain_text("18 rows of 1 series would be written: 2 rows of 20 left out.")
    expect(table).to_contain_text("delimiter=;: semicolons separate the names in the header.")
    expect(table.get_by_role("row", name="warmth numbers 18 new")).to_be_visible()
    table.get_by_role("button", name="Write it").click()
    expect(table).to_contain_text("18 rows of 1 series were written")
    assert site.service.call("GET", "/series/holed")["count"] == 18


def test_a_table_without_ids_is_a_column_a_series(site: Site, page: Page) -> None:
    page.goto(site.link("import?paste=1"))
    page.get_by_label("Table, with its header").fill("day\tpasted\n2024-01-01\t1\n2024-01-02\t2\n2024-01-03\t3\n")
    page.get_by_role("button", name="Check it").press("Enter")
    page.get_by_role("button", name="Each column is a series, “day” is the time").press("Enter")
    page.get_by_role("button", name="Write it").press("Enter")
    expect(page.get_by_role("link", name="Train a model on it")).to_have_attribute("href", "#/train?series=pasted")
    assert site.service.call("GET", "/series/pasted")["count"] == 3


def test_a_number_that_reads_two_ways_is_settled_by_a_button(site: Site, page: Page) -> None:
    page.goto(site.link("import"))
    rows = "".join(f"pointed;2024-01-0{n};{n}.234\n" for n in (1, 2, 3))
    table = choose(page, "points.csv", f"unique_id;ds;y\n{rows}")
    expect(table.get_by_label("Before decimals (CSV)")).to_be_focused()
    expect(table.get_by_role("button", name="Read with decimal=,", exact=True)).to_be_visible()
    table.get_by_role("button", name="Read with decimal=.", exact=True).press("Enter")
    table.get_by_role("button", name="Write it").press("Enter")
    expect(table.get_by_role("link", name="Open pointed")).to_be_visible()
    assert site.service.call("GET", "/series/pointed/observations")["y"] == [1.234, 2.234, 3.234]


def test_what_is_no_table_is_refused_in_a_sentence(site: Site, page: Page) -> None:
    page.goto(site.link("import"))
    expect(choose(page, "paper.pdf", "%PDF-1.4").get_by_role("alert")).to_contain_text("The body is a PDF")
    empty = choose(page, "empty.csv", "")
    expect(empty.get_by_role("alert")).to_contain_text("The file is empty")
    empty.get_by_role("button", name="Remove empty.csv from the list").press("Enter")
    expect(empty).to_have_count(0)
