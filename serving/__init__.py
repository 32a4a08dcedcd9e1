"""Profiles over HTTP: the server, and the client that reads from it."""
