"""Policies as servers, for robots on other machines and for other people's benchmarks.

`serve_command` (the command line), `served_policy` (what a server asks of a policy),
`checkpoint_policy` (our checkpoints), `batching` (requests of several clients in one forward pass),
`openpi_server` (the protocol).
"""
