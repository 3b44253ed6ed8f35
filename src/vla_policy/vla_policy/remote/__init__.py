"""A policy on another machine, behind openpi's websocket protocol.

`wire` (bytes), `mapping` (a YAML: our names ↔ the server's), `link` (the connection), `policy`
(observation → chunk), `fallback` (a local checkpoint while the link is away).
"""
