"""Pictures of every mail in a real browser: ``python -m tests.render.pictures OUTDIR [NAME …]``.

Light and dark, 360 and 900 pixels wide, and one with pictures blocked. For people to look at; no test.
"""

import base64
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests import programs
from tests.render import samples

LOOKS = [("light", 900), ("light", 360), ("dark", 900), ("dark", 360)]


def page_of(name: str, brand: str, *, pictures: bool) -> str:
    mail, source, sms = samples.every()[name]
    mail = mail if mail.brand == "default" else samples.outbox(mail.kind, **_changed(mail, brand))
    html = samples.renderer().render(mail, source, sms).html
    inline = "data:image/png;base64," + base64.b64encode(samples.png()).decode()
    start = html.find("cid:")
    if start < 0:
        return html
    end = html.index('"', start)
    return html[:start] + (inline if pictures else "") + html[end:]


def _changed(mail: object, brand: str) -> dict[str, Any]:
    names = ("to", "facts", "correction", "sms_id", "mail_id", "group", "message_id")
    return {name: getattr(mail, name) for name in names} | {"brand": brand}


def take(browser: Browser, html: str, target: Path, scheme: str, width: int) -> int:
    """One picture; returns how much wider than the window the mail is (0 when it fits)."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 400}, offline=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_content(html)
    over: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    page.screenshot(path=target, full_page=True)
    context.close()
    return max(0, over)


def main(out: Path, names: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=programs.found("chromium", "chromium-browser", "google-chrome"),
            args=programs.BROWSER_ARGS,
        )
        for name in names or list(samples.every()):
            for scheme, width in LOOKS:
                html = page_of(name, "clinic", pictures=True)
                over = take(browser, html, out / f"{name}-{scheme}-{width}.png", scheme, width)
                print(f"{name} {scheme} {width}: {len(html):,} characters, {over} pixels too wide")
        for name, brand in (("delivered", "sun"), ("reply", "default")):
            html = page_of(name, brand, pictures=False)
            take(browser, html, out / f"{name}-{brand}.png", "light", 900)
        take(browser, page_of("delivered", "clinic", pictures=False), out / "no-pictures.png", "light", 360)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
