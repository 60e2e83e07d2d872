"""What puts the parts together: `service` is the recipe, `wiring` its components.

Imports nothing here: a command that only looks into the database need not load the servers.
"""
