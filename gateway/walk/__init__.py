"""The walk of one delivery request, from what was asked to what is answered (`delivery.py` shows it all).

Between the endpoints and the rooms that do the work: `web` and `client` bring it an `Inbound` and give its answer to
their callers. Nothing here knows HTTP.
"""
