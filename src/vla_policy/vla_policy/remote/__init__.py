"""A policy on another machine, behind openpi's websocket protocol."""
