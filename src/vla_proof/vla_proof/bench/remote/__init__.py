"""What asking a policy server costs, by protocol."""
