"""What the tests of several packages share: tiny checkpoints and a small policy server.

Those packages' package.xml cannot name vla_proof, which depends on them; colcon refuses a circle.
"""
