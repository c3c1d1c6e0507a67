"""Users and dialogs as the remote API shows them, with the names and types of the manual (§6.6).

Responses and events (`users_update`, `dialog`) are made of these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from libreims.call.dialog_view import DialogView
from libreims.config.store import ConfigStore
from libreims.ipsec.view import AgreementViews
from libreims.users.bindings import Binding, Bindings
from libreims.users.profile import public_uri
from libreims.users.subscriber import Subscriber

Members = dict[str, Any]
_IMEI_URN = "urn:gsma:imei:"


class UserViews:
    """Makes the elements of `users`."""

    def __init__(
        self,
        config: ConfigStore,
        bindings: Bindings,
        pending_sms: Callable[[str], int] = lambda impi: 0,
        ipsec: AgreementViews | None = None,
    ) -> None:
        """`pending_sms`: messages that wait for the user with an IMPI."""
        self._ipsec = ipsec or AgreementViews()
        self._config = config
        self._bindings = bindings
        self._pending_sms = pending_sms

    def user(self, subscriber: Subscriber, remotes: Mapping[str, Sequence[str]]) -> Members:
        """One user; `remotes` has who talks with whom (`DialogControl.remotes`)."""
        impi = subscriber.impi
        pending = self._pending_sms(impi)
        return {
            "impi": impi,
            "force_sms_over_sg": subscriber.settings.force_sms_over_sg,
            "bindings": [self._binding(subscriber, each, pending) for each in self._bindings.of(impi)],
            "dialogs": [{"remote": remote} for remote in remotes.get(impi, ())],
            "sms": pending,
        }

    def _binding(self, subscriber: Subscriber, binding: Binding, pending: int) -> Members:
        settings = self._config.current
        shown: Members = {
            "uri": binding.contact,
            "impu": [
                public_uri(settings, subscriber, entry) for entry in subscriber.registered_with(binding.imei)
            ],
            "q": binding.q,
            "video": binding.features.video,
            "volte": binding.features.volte,
        }
        if binding.features.sms:
            shown["sms"] = pending > 0
        imei = _imei(binding)
        if imei:
            shown["imei"] = imei
        if binding.emergency:
            shown["sos"] = True
        shown["expires"] = self._bindings.remaining(binding)
        agreement = self._ipsec.of(binding)
        if agreement is not None:
            shown["ipsec"] = dataclasses.asdict(agreement)
        return shown


def _imei(binding: Binding) -> str:
    """As the phone wrote it, without separators; with the check digit where it sent one."""
    text = binding.instance.strip("<>")
    if text.lower().startswith(_IMEI_URN):
        return text[len(_IMEI_URN) :].partition(";")[0].replace("-", "")
    return binding.imei


def dialog(view: DialogView) -> Members:
    """One dialog: an element of `dialogs`, or the member `dialog` of the event."""
    shown: Members = {
        "session_id": view.session_id,
        "state": view.state,
        "type": view.type,
        "to": view.to,
        "from": view.from_,
    }
    if view.mt_dialog is not None:
        shown["mt_dialog"] = view.mt_dialog
    if view.mo_dialog is not None:
        shown["mo_dialog"] = view.mo_dialog
    shown["date"] = view.date
    shown["duration"] = view.duration
    shown["event_list"] = [
        {"type": each.type, "timestamp": each.timestamp, "state": each.state}
        | ({"message": each.message} if each.message else {})
        for each in view.event_list
    ]
    shown["medias"] = [dataclasses.asdict(each) for each in view.medias]
    return shown
