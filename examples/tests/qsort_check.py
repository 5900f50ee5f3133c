"""Checks the quicksort function on lists that bad pivots make slow, and that it leaves its argument alone."""

import random
import time

from qsort import quicksort

random.seed(7)
N = 20_000
for numbers in (list(range(N)), list(range(N, 0, -1)), [5] * N, random.choices(range(-N, N), k=N), [], [1]):
    before, start = list(numbers), time.monotonic()
    assert quicksort(numbers) == sorted(before)
    assert numbers == before, "the argument was changed"
    assert time.monotonic() - start < 5, "too slow"
print("ok")
