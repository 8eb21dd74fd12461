"""The tests; before all others that they import, a garbage collector that seldom looks."""

import gc

gc.set_threshold(50_000, 10, 10)  # 700 would be two seconds of the start of each process
