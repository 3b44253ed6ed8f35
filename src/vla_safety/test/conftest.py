from hypothesis import settings

# Examples share the machine with everything else: a slow one is no failure.
settings.register_profile("vla_safety", deadline=None)
settings.load_profile("vla_safety")
