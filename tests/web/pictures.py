"""The README's pictures, taken from the running demo: ``python -m tests.web.pictures [FOLDER]``."""

import re
import smtplib
import sys
import tempfile
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import httpx
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests import programs
from tests.flow.running import wait_for
from tests.flow.test_demo import address, demo

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
MOST_OCTETS: Final = 150_000
SAMPLE: Final = "Your appointment"  # the subject of the mail that the demo sends by itself
OTHERS: Final = (
    ("0421000002", "Car", "Your car is ready. We close at 17:30; the gate code is 4711."),
    ("0421009901", "Results", "Your results are here. Please call us."),
    ("0421000003", "ALARM boiler 3", "Pressure 9.8 bar and rising."),
    ("0421009904", "Roster", "Can you take the late shift on Friday?"),
    ("0421009962", "Invoice", "Invoice 2044 is due on Monday."),
)


def send(port: int, number: str, subject: str, text: str) -> None:
    mail = EmailMessage()
    mail["From"] = "Riverside Clinic <desk@example.com>"
    mail["To"] = f"{number}@sms.local"
    mail["Subject"] = subject
    mail.set_content(text)
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.send_message(mail)


def fill(smtp: int, desk: str, phone: str) -> None:
    """Send the mails and type the answers; returns when the desk has heard of all of it."""
    for number, subject, text in OTHERS:
        send(smtp, number, subject, text)
    answer(desk, phone, 1, "YES, thank you")
    send(smtp, "0421000001", "Your card", "See you then. Please bring your Medicare card.")
    answer(desk, phone, 2, "Will do")
    wait_for("the ends of the others", lambda: not re.search(r'href="/\?state=(queued|sending)', shown(desk)))


def answer(desk: str, phone: str, number: int, text: str) -> None:
    """Once that many SMS have arrived on the phone: type an answer, and wait until it is a mail."""
    wait_for(
        "the SMS", lambda: shown(desk, "?number=0421000001&state=delivered").count("/messages/") == number
    )
    httpx.post(f"{phone}admin/reply", json={"number": "+61421000001", "text": text}, trust_env=False)
    wait_for("the answer", lambda: shown(desk, "mails").count('c-kind">reply') == number)


def shown(desk: str, path: str = "") -> str:
    return httpx.get(f"{desk}{path}", trust_env=False).text


def page_of(browser: Browser, width: int, height: int) -> Page:
    size: ViewportSize = {"width": width, "height": height}
    return browser.new_page(viewport=size, color_scheme="light", timezone_id="Australia/Sydney")


def take(browser: Browser, desk: str, phone: str, folder: Path) -> None:
    page = page_of(browser, 620, 300)
    number = re.findall(rf'href="/mails/(\d+)".*?c-kind">(\w+).*?{SAMPLE}', shown(desk, "mails"), re.S)
    report = next(mail for mail, kind in number if kind == "delivered")
    page.goto(f"{desk}mails/{report}/html")
    page.screenshot(path=folder / "report.png", full_page=True)
    page = page_of(browser, 860, 700)
    page.goto(phone)
    page.locator("#list").get_by_text(re.compile("421 000 001")).first.click()
    expect(page.get_by_text("Will do").last).to_be_visible()
    page.screenshot(path=folder / "phone.png")
    page = page_of(browser, 1180, 640)
    page.goto(desk)
    page.screenshot(path=folder / "desk.png", full_page=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, demo(Path(state)) as printed, sync_playwright() as play:
        desk, phone = address(printed, "desk"), address(printed, "phone")
        found = re.search(r"SMTP on 127\.0\.0\.1:(\d+)", printed)
        assert found
        fill(int(found[1]), desk, phone)
        browser = play.chromium.launch(
            executable_path=programs.found("chromium", "chromium-browser", "google-chrome"),
            args=programs.BROWSER_ARGS,
        )
        take(browser, desk, phone, folder)
        browser.close()
    for picture in sorted(folder.glob("*.png")):
        octets = picture.stat().st_size
        print(f"{picture.name}: {octets:,} bytes")
        assert octets < MOST_OCTETS, picture


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
