"""Events: what the server tells clients that have registered for it (manual §6.7).

The bus is listened to only while a client wants what is made of it: nothing is made for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from libreims.api.client import Client
from libreims.api.messaging import received
from libreims.api.services import ApiServices
from libreims.api.table import Members
from libreims.api.views import UserViews, dialog
from libreims.api.wire import encode
from libreims.base.clock import Cancellable
from libreims.call.history import DialogChanged, InvitePending
from libreims.sms.events import PendingChanged, SmsReceived
from libreims.users.admin import UserChanged
from libreims.users.bindings import BindingsChanged

NAMES: Final = ("sms", "users_update", "dialog", "invite")
"""What clients can register for."""
GATHER: Final = 0.05
"""Seconds in which the changes of a user, and those of others, become one `users_update`."""

TOGETHER: Final = 200
"""Users in one `users_update`: when thousands change at once, media must not wait for all of them."""

Source = tuple[type[Any], Callable[[Any], None]]
"""A class of bus events, and what hears them."""


class Events:
    """Who wants which events, and how they are made."""

    def __init__(self, services: ApiServices, views: UserViews, time: Callable[[], float]) -> None:
        self._services = services
        self._views = views
        self._time = time
        self._clients: dict[str, dict[Client, None]] = {}
        self._listening: dict[str, list[Callable[[], None]]] = {}
        self._changed: dict[str, None] = {}
        self._timer: Cancellable | None = None
        self._sources: dict[str, tuple[Source, ...]] = {
            "sms": ((SmsReceived, self._sms),),
            "dialog": ((DialogChanged, self._dialog),),
            "invite": ((InvitePending, self._invite),),
            "users_update": (
                (BindingsChanged, self._user_changed),
                (UserChanged, self._user_changed),
                (DialogChanged, self._user_changed),
                (PendingChanged, self._user_changed),
            ),
        }

    # -- who wants what ----------------------------------------------------------------------------

    def change(self, client: Client, register: tuple[str, ...], unregister: tuple[str, ...]) -> None:
        """A client wants these events from now on, and those no more."""
        if not client.connected:
            return  # a standalone request that came to its turn when nobody was there any more
        for name in register:
            if name not in client.events:
                client.events.add(name)
                self._clients.setdefault(name, {})[client] = None
                self._listen(name)
        for name in unregister:
            self._drop(client, name)

    def leave(self, client: Client) -> None:
        """A client has gone."""
        for name in tuple(client.events):
            self._drop(client, name)

    def close(self) -> None:
        """Nobody is told anything any more."""
        for clients in tuple(self._clients.values()):
            for client in tuple(clients):
                self.leave(client)

    def _listen(self, name: str) -> None:
        if name not in self._listening:
            subscribe = self._services.bus.subscribe
            self._listening[name] = [subscribe(event, hear) for event, hear in self._sources.get(name, ())]

    def _drop(self, client: Client, name: str) -> None:
        client.events.discard(name)
        clients = self._clients.get(name)
        if clients is None:
            return
        clients.pop(client, None)
        if clients:
            return
        del self._clients[name]
        for unsubscribe in self._listening.pop(name, ()):
            unsubscribe()
        if name == "users_update" and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._changed.clear()

    def publish(self, name: str, members: Members) -> None:
        """Tell everyone who wants this event."""
        clients = self._clients.get(name)
        if clients:
            text = encode({"message": name, **members, "time": round(self._time(), 6)})
            for client in tuple(clients):
                client.send(text)

    # -- how they are made -------------------------------------------------------------------------

    def _sms(self, event: SmsReceived) -> None:
        self.publish("sms", received(event))

    def _dialog(self, event: DialogChanged) -> None:
        self.publish("dialog", {"dialog": dialog(event.dialog)})

    def _invite(self, event: InvitePending) -> None:
        self.publish("invite", {"session_id": event.session_id, "from": event.from_, "to": event.to})

    def _user_changed(self, event: BindingsChanged | UserChanged | DialogChanged | PendingChanged) -> None:
        """Users that change in a storm of registrations are told together, each of them once."""
        self._changed[event.impi] = None
        if self._timer is None:
            self._timer = self._services.clock.call_later(GATHER, self._tell_users)

    def _tell_users(self) -> None:
        changed = list(islice(self._changed, TOGETHER))
        for impi in changed:
            del self._changed[impi]
        self._timer = self._services.clock.call_later(0.0, self._tell_users) if self._changed else None
        users = [self._services.users.by_impi(impi) for impi in changed]
        known = [user for user in users if user is not None]
        if known:
            remotes = self._services.dialogs.remotes()
            self.publish(
                "users_update", {"users_update": [self._views.user(each, remotes) for each in known]}
            )
