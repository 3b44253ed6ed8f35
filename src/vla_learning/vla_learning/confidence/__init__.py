"""How likely a policy is to succeed: taught and measured."""
