"""The pretended robot and policy, whose streams can be spoilt from outside."""
