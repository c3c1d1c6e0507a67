"""`users_get`, `users_add`, `user_set`, `impu_set`, `impu_add`, `impu_del`, `unregister` (manual §6.6)."""

from __future__ import annotations

from typing import Any, Final

from libreims.api.client import Client
from libreims.api.services import ApiServices
from libreims.api.slices import in_slices, in_steps
from libreims.api.table import Command, Members, Parameter, Result
from libreims.api.views import UserViews
from libreims.config.kinds import Anything, Boolean, Text
from libreims.users.bindings import Cause
from libreims.users.reading import SLICE


class _Users(Anything):
    name = "array of users"


class _Impu(Anything):
    name = "IMPU, as string or object,"


_IMPI: Final = Parameter("impi", Text(), "IMPI of the user; `echo` for the echo list.", required=True)


def commands(services: ApiServices) -> tuple[Command, ...]:
    """The commands of this file."""
    users = UserCommands(services)
    return (
        Command(
            "users_get",
            "Show the users and their registrations.",
            users.get,
            (Parameter("registered_only", Boolean(), "Only users that are registered."),),
        ),
        Command(
            "users_add",
            "Add users.",
            users.add,
            (Parameter("users", _Users(), "Users as in `ue_db`; all of them or none.", required=True),),
        ),
        Command(
            "user_set",
            "Change a user.",
            users.set,
            (
                Parameter("impi", Text(), "IMPI of the user.", required=True),
                Parameter("force_sms_over_sg", Boolean(), "Send its SMS over SGs."),
            ),
        ),
        Command(
            "impu_set",
            "Change properties of an IMPU: each of the configuration's is a parameter.",
            users.set_impu,
            (Parameter("impu", Text(), "IMPU of users or of the echo list.", required=True),),
            rest="changes",
        ),
        Command(
            "impu_add",
            "Add an IMPU to a user or to the echo list.",
            users.add_impu,
            (Parameter("impu", _Impu(), "IMPU as in the configuration.", required=True), _IMPI),
        ),
        Command(
            "impu_del",
            "Take an IMPU from a user or from the echo list.",
            users.delete_impu,
            (
                Parameter("impu", _Impu(), "IMPU; of an object `impu` and `imei` count.", required=True),
                _IMPI,
            ),
        ),
        Command(
            "unregister",
            "End a registration by the network.",
            users.unregister,
            (
                Parameter("uri", Text(), "Contact URI, or IMPU for all contacts.", required=True),
                Parameter("event", Text(), "Event of the notification, `deactivated` by default."),
            ),
        ),
    )


class UserCommands:
    """Handlers of these commands."""

    def __init__(self, services: ApiServices) -> None:
        self._users = services.users
        self._bindings = services.bindings
        self._registrar = services.registrar
        self._admin = services.admin
        self._dialogs = services.dialogs
        self._views = UserViews(services.config, services.bindings, services.sms.pending, services.ipsec)

    def get(self, client: Client, registered_only: bool = False) -> Result:
        """All users, or those that have a binding."""
        remotes = self._dialogs.remotes()
        chosen = [each for each in self._users if not registered_only or self._bindings.of(each.impi)]
        return in_slices("users", chosen, lambda user: self._views.user(user, remotes))

    def add(self, client: Client, users: object) -> Result:
        """All of them or none; many are read and checked between other things."""
        if isinstance(users, list) and len(users) > SLICE:
            return in_steps(self._admin.addition(users), lambda impis: {})
        self._admin.add_users(users)
        return {}

    def set(self, client: Client, impi: str, force_sms_over_sg: bool | None = None) -> Members:
        """What is given."""
        self._admin.set_user(impi, force_sms_over_sg=force_sms_over_sg)
        return {}

    def set_impu(self, client: Client, impu: str, changes: dict[str, Any]) -> Members:
        """What is given."""
        self._admin.set_impu(impu, changes)
        return {}

    def add_impu(self, client: Client, impu: object, impi: str) -> Members:
        """One IMPU."""
        self._admin.add_impu(impu, impi)
        return {}

    def delete_impu(self, client: Client, impu: object, impi: str) -> Members:
        """One IMPU."""
        self._admin.delete_impu(impu, impi)
        return {}

    def unregister(self, client: Client, uri: str, event: str = Cause.DEACTIVATED) -> Members:
        """One contact, or all of an IMPU."""
        self._registrar.unregister(uri, event)
        return {}
