"""Settings as JSON has them, under the manual's names: what `config_get` shows and a change takes back."""

from __future__ import annotations

import dataclasses

from libreims.config.declare import declarations


def to_json(value: object) -> object:
    """Plain dicts, lists and scalars; secrets and what is not set are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {}
        for name, declared in declarations(type(value)).items():
            member = getattr(value, declared.field)
            if member is not None and name == declared.name and not declared.secret:
                members[name] = to_json(member)
        return members
    if isinstance(value, list | tuple):
        return [to_json(element) for element in value]
    return value
