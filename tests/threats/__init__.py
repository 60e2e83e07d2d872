"""What is threatened, and the figures by which tests show that it is held off.

A test says so by a mark, and tells its figures with `found`; `tests.threats.plugin` puts all of them in one table::

    @pytest.mark.threat(5, "smuggled", of="sequences")
    async def test_...:
        found(len(smuggled), of=len(SEQUENCES))

    @pytest.mark.threat(6, "peak RSS growth", of="mails", unit="MiB", at_most=100)
    async def test_...:
        found(growth / MIB)
"""

from tests.threats.figures import ROWS, Figure, Measure, found

__all__ = ["ROWS", "Figure", "Measure", "found"]
