"""A store in memory that can be told to fail, for tests of those who write to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from libreims.store.port import Records, StoreError


class MemoryStore:
    """Satisfies `store.port.Store`; values pass through JSON as in a file."""

    def __init__(self) -> None:
        self.full = False
        self.kinds: dict[str, dict[str, str]] = {}
        self.writes = 0
        """Statements, or transactions as one."""
        self._depth = 0

    def records(self, kind: str) -> Records:
        return _MemoryRecords(self, self.kinds.setdefault(kind, {}))

    def transaction(self) -> AbstractContextManager[object]:
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = {kind: dict(records) for kind, records in self.kinds.items()}
        self.written()
        self._depth += 1
        try:
            yield
        except BaseException:
            for kind, records in self.kinds.items():
                records.clear()
                records.update(before.get(kind, {}))
            raise
        finally:
            self._depth -= 1

    def written(self) -> None:
        if self.full:
            raise StoreError("memory cannot be written: it is full; make room")
        if not self._depth:
            self.writes += 1

    def close(self) -> None:
        self.full = True


class _MemoryRecords:
    def __init__(self, store: MemoryStore, records: dict[str, str]) -> None:
        self._store = store
        self._records = records

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self._store.written()
        self._records[key] = json.dumps(value, allow_nan=False)

    def delete(self, key: str) -> None:
        self._store.written()
        self._records.pop(key, None)

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        return iter([(key, json.loads(value)) for key, value in self._records.items()])
