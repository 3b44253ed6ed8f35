"""What shows that the suite keeps its promises: benchmarks, faults, soak, properties, mutation.

Never installed on a robot.
"""
