"""kill -9 at random moments under load: of a node that serves, or of one that has not yet begun to."""

import random
import time
from dataclasses import replace
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
FROZEN: Final = 0.1  # so often, before a kill, a node of several stands still
LONGEST_FREEZE_S: Final = 20.0  # a node is taken for gone after 35 s of a clock that runs three times as fast


# What becomes of a POST at a vendor that has a bad hour, and how often of a thousand times.
FATES: Final = (
    (860, Fate()),
    (40, Fate(wait_s=0.3)),
    (30, Fate(end="reset")),
    (30, Fate(created=False, end="reset")),
    (20, Fate(end="500")),
    (15, Fate(created=False, end="503")),
    (5, Fate(end="reset", lies=True)),
)


def fates(chance: random.Random) -> Fate:
    """Return what becomes of one POST."""
    kinds = [fate for _, fate in FATES]
    return replace(
        chance.choices(kinds, [times for times, _ in FATES])[0],
        news="delivered" if chance.random() < 0.95 else "failed",
        reply=chance.random() < 0.1,
        told_twice=chance.random() < 0.2,
    )


def bad_days(world: World, seed: int) -> None:
    """Let vendor and smarthost fail now and then."""
    chance = random.Random(f"vendor {seed}")
    world.vendor.fate = lambda form: fates(chance)
    world.vendor.poll_fails = lambda: chance.random() < 0.05
    world.smarthost.drops = lambda: chance.random() < 0.02


def kill_at_random(world: World, kills: int, seed: int, pause_s: float = PAUSE_S) -> None:
    """Start all nodes and the clients; kill nodes, one at a time or all at once, and start them, ``kills`` times.

    Of several nodes one stands still now and then, for longer than the others wait for it. ``pause_s`` is that of a
    client between two mails.
    """
    chance = random.Random(f"kills {seed}")
    world.start_all()
    world.clients = [
        Client(f"s{seed}c{place}", world.port, seed=seed, pause_s=pause_s) for place in range(CLIENTS)
    ]
    for client in world.clients:
        client.start()
    end = world.kills + kills
    places = range(len(world.nodes))
    while world.kills < end:
        hit = places if chance.random() < ALL_AT_ONCE else [chance.choice(places)]
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))
        if len(places) > 1 and chance.random() < FROZEN:
            world.freeze(chance.choice(places), chance.uniform(0.0, LONGEST_FREEZE_S))
        for place in hit:
            world.kill(place)
        for place in hit:
            while world.kills < end and chance.random() < STARTING:
                world.kill_while_starting(chance.uniform(0.05, LONGEST_START_S), place)
            world.start(place)
