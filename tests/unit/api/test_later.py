"""`api.later`: what is known and cannot be done says so."""

from support.api import ask, error
from support.lab import Lab, play


def test_mms_has_an_error_of_its_own_and_help_does_not_promise_it() -> None:
    async def scenario(lab: Lab) -> None:
        assert "no MMSC yet" in await error(lab, "mms", filename="a.jpg", sender="1", receiver="2")
        assert "not started" in await error(lab, "mms_server")
        assert "from: string expected" in await error(lab, "mms", **{"from": 5})
        assert not {"mms", "mms_server"} & set((await ask(lab, "help"))["messages"])

    play(scenario)
