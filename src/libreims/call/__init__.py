"""Calls: two parties that exchange neutral events, each speaking its own SIP dialog with its own phone.

A message walks `cscf.router` -> `calls` (which call?) -> a leg (SIP to event) -> `session` (what now?) ->
the other leg (event to SIP) -> `cscf.user_agent`.
"""
