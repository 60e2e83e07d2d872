"""kill -9 at random moments under load: of a node that serves, or of one that has not yet begun to."""

import random
import time
from typing import Final

from tests.crash.clients import Client
from tests.crash.vendor import Fate
from tests.crash.world import World

CLIENTS: Final = 3
PAUSE_S: Final = 0.05  # of a client between two mails: enough that some moments are busy and some are not
LONGEST_LIFE_S: Final = 0.8
STARTING: Final = 0.15  # of the kills hit a node that starts
ALL_AT_ONCE: Final = 0.2  # of the kills hit every node there is
LONGEST_START_S: Final = 1.2


def fates(chance: random.Random) -> Fate:
    """Return what becomes of one POST at a vendor that has bad days, in the shares that they have in a bad hour."""
    news = chance.choices(("delivered", "failed"), (95, 5))[0]
    common = {"reply": chance.random() < 0.1, "told_twice": chance.random() < 0.2}
    kind = chance.choices(
        ("well", "late", "made, reset", "not made, reset", "made, 500", "not made, 503", "lies"),
        (860, 40, 30, 30, 20, 15, 5),
    )[0]
    if kind == "well":
        return Fate(news=news, **common)  # type: ignore[arg-type]
    if kind == "late":
        return Fate(news=news, wait_s=chance.uniform(0.05, 0.5), **common)  # type: ignore[arg-type]
    if kind == "made, reset":
        return Fate(news=news, end="reset", **common)  # type: ignore[arg-type]
    if kind == "made, 500":
        return Fate(news=news, end="500", **common)  # type: ignore[arg-type]
    if kind == "lies":
        return Fate(end="reset", lies=True)
    return Fate(created=False, end="reset" if kind == "not made, reset" else "503")


def bad_days(world: World, seed: int) -> None:
    """Let vendor and smarthost fail now and then."""
    chance = random.Random(f"vendor {seed}")
    world.vendor.fate = lambda form: fates(chance)
    world.vendor.poll_fails = lambda: chance.random() < 0.05
    world.smarthost.drops = lambda: chance.random() < 0.02


def kill_at_random(world: World, kills: int, seed: int) -> None:
    """Start all nodes and the clients; kill nodes, one at a time or all at once, and start them, ``kills`` times."""
    chance = random.Random(f"kills {seed}")
    world.start_all()
    world.clients = [
        Client(f"s{seed}c{place}", world.port, seed=seed, pause_s=PAUSE_S) for place in range(CLIENTS)
    ]
    for client in world.clients:
        client.start()
    end = world.kills + kills
    places = range(len(world.nodes))
    while world.kills < end:
        hit = places if chance.random() < ALL_AT_ONCE else [chance.choice(places)]
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))
        for place in hit:
            world.kill(place)
        for place in hit:
            while world.kills < end and chance.random() < STARTING:
                world.kill_while_starting(chance.uniform(0.05, LONGEST_START_S), place)
            world.start(place)
