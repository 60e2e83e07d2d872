"""The benchmark: ours against others on the same machine, in one run, in turns (``make bench``)."""
