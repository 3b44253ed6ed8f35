"""A policy on another machine, behind the protocol of one of the servers that people run.

`protocols` (which there are), `connection` (what each is asked), `…_connection` and `…_wire` (one
protocol), `remote_mapping` (a YAML: our names ↔ the server's; its parts are in `mapping`),
`server_link` (made again when it is gone), `remote_policy` (observation → chunk), `fallback` (a
local checkpoint meanwhile).
"""
