"""SQN in the store: reserved in blocks, so that one vector in 32 writes and none is given out twice.

The record of a user holds the last SQN of its block.  After a restart the numbers go on behind that, whatever
was used of it: a card takes any step forward up to 2^28 (TS 33.102 Annex C.3), and a block as long as the
card's array keeps IND in its order.  Used by `hss.builtin`.
"""

from __future__ import annotations

from collections.abc import Callable

from libreims.base.log import LayerLog
from libreims.proto.aka.sequence import IND_BITS, ahead
from libreims.store.port import Store

KIND = "sqn"
BLOCK = 1 << IND_BITS


class SequenceRecords:
    """The blocks of all users."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records = store.records(KIND)
        self._left: dict[str, int] = {}
        """How many more SQN the block of a user has."""

    def use(self, impi: str, sqn: int) -> None:
        """A vector with this SQN, which follows the last one, is about to be made. Raises StoreError."""
        left = self._left.get(impi, 0)
        if not left:
            self._records.put(impi, {"last": ahead(sqn, BLOCK - 1)})
            left = BLOCK
        self._left[impi] = left - 1

    def moved(self, impi: str) -> None:
        """The SQN of a user were set anew: what is left of the block is not used."""
        self._left.pop(impi, None)

    def forget(self, impi: str) -> None:
        """A user has been removed. Raises StoreError."""
        self._left.pop(impi, None)
        self._records.delete(impi)

    def restore(
        self, known: Callable[[str], bool], restore: Callable[[str, int], object], log: LayerLog
    ) -> None:
        """Give `restore` the last SQN of each user that is still `known`. Raises StoreError."""
        dropped = []
        for impi, record in self._records.items():
            last = record.get("last")
            if not isinstance(last, int):
                log.warn(f"The record of the SQN of {impi} cannot be read and is dropped.")
                dropped.append(impi)
            elif not known(impi):
                log.info(f"The SQN of {impi} is dropped: there is no such user in ue_db any more.")
                dropped.append(impi)
            else:
                restore(impi, last)
        if dropped:
            with self._store.transaction():
                for impi in dropped:
                    self._records.delete(impi)
