"""The web admin: pages made on the server, which work without script.

Rule: nothing is served that `permissions.py` does not name; pages ask `Operations` and never the store.
"""
