"""`store.port`: without a file nothing is kept, and nobody notices."""

from libreims.store.port import NoStore, Store


def test_without_a_store_what_is_written_is_forgotten() -> None:
    store: Store = NoStore()
    records = store.records("sms")
    with store.transaction():
        records.put("1", {"text": "hello"})
    assert list(records.items()) == []
    records.delete("1")
    store.close()
