"""Models of nav2's velocity smoother and collision monitor, and a comparison with them.

Written from ros-navigation/navigation2 at a3a9704: same rules, same order, scalars and loops. The
tests of this package hold them to the expected values of nav2's own unit tests.
"""
