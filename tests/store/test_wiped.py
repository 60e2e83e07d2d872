"""A person who was forgotten is in no octet of the database: its file, its log, the dump of a server."""

import asyncio
import base64
import subprocess
from pathlib import Path

import pytest

from bridge.store import Accepted, Store
from tests.postgres import program
from tests.store.conftest import mail
from tests.store.test_purge import ME, OTHER, PERSON, all_mailed, answers, news, nothing, number, sent

TEXT = b"meet me at the canary wharf"
CANARIES = (
    *(PERSON.encode(), PERSON[1:].encode(), b"0421000001", b"421 000 001", PERSON[::-1].encode()),
    *(TEXT, b"canary", *(base64.b64encode(TEXT[cut:])[:16] for cut in range(3))),
)


def hits(*octets: bytes) -> dict[bytes, int]:
    counted = {canary: sum(one.count(canary) for one in octets) for canary in CANARIES}
    return {canary: count for canary, count in counted.items() if count}


async def lived(store: Store) -> None:
    """Days of a person among others, so that the rows stand on many pages and have moved about."""
    for day in range(40):
        rows = await sent(store, *((PERSON, OTHER) if day % 2 else (OTHER, PERSON)), header=f"<{day}@x>")
        for sms in rows:
            await news(store, sms)
            await answers(
                store,
                sms,
                f"{'canary' * (day % 9 + 1)} {sms.id}" if sms.number == PERSON else f"yes {sms.id}",
            )
        await all_mailed(store)
    await store.note_alarm("x", (("alarm", "x"), ("number", PERSON)))
    await all_mailed(store)


async def forgotten(store: Store) -> None:
    """Forget the person, and then the texts to the other, which are the same."""
    await store.privacy.forget(number(), ME, nothing)
    await store.privacy.forget(number(OTHER), ME, nothing)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_no_octet_is_left_in_the_file_or_its_log(store: Store, path: Path) -> None:
    await lived(store)
    files = [path, Path(f"{path}-wal")]
    assert hits(*(file.read_bytes() for file in files)).keys() >= {
        PERSON.encode(),
        PERSON[::-1].encode(),
        TEXT,
    }
    await forgotten(store)
    assert await store.privacy.wipe(rewrite=True)
    assert hits(*(file.read_bytes() for file in files)) == {}
    assert (await store.accept(mail())).queued, "it goes on"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_the_log_alone_is_emptied_while_others_write_and_read(store: Store, path: Path) -> None:
    await sent(store)
    assert await store.privacy.wipe()
    assert Path(f"{path}-wal").stat().st_size == 0
    done = await asyncio.gather(
        store.privacy.wipe(), *(store.accept(mail(header=f"<{n}@x>")) for n in range(20))
    )
    assert all(isinstance(one, Accepted) and one.queued for one in done[1:])


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_no_octet_is_left_in_a_dump(store: Store, database: str) -> None:
    await lived(store)
    assert hits(dump(database)).keys() >= {PERSON.encode(), PERSON[::-1].encode(), TEXT}
    await forgotten(store)
    assert await store.privacy.wipe(rewrite=True)
    assert hits(dump(database)) == {}
    assert (await store.accept(mail())).queued, "it goes on"


def dump(database: str) -> bytes:
    """What pg_dump writes, and the mails in it as they are, not in hex."""
    url, _, options = database.partition("?options=-csearch_path%3D")
    text = subprocess.run([program("pg_dump"), url, "-n", options], capture_output=True, check=True).stdout
    hexes = [bytes.fromhex(part.split(b"\t")[0].split(b"\n")[0].decode()) for part in text.split(rb"\\x")[1:]]
    return text + b"".join(hexes)
