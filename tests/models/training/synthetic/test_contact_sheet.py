"""The contact sheet: a small picture with all families."""

from pathlib import Path

from models.training.synthetic.contact_sheet import draw_sheet


def test_a_sheet_is_a_small_picture(tmp_path: Path) -> None:
    draw_sheet(tmp_path / "sheet.png")
    content = (tmp_path / "sheet.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert 50_000 < len(content) < 600_000
