"""A policy on another machine, behind the protocol of one of the servers that people run.

`protocols` (which there are), `connection` (what each is asked), `…_connection` and `…_wire` (one
protocol), `mapping` (a YAML: our names ↔ the server's), `link` (connected and connected again),
`policy` (observation → chunk), `fallback` (a local checkpoint while the link is away).
"""
