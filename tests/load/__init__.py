"""The benchmark: `python -m tests.load --help`, `make bench`; docs/benchmarks.md tells how to read it.

__main__    the command, and the table of measurements      report      rows -> table, JSON
bench       what every measurement is given                 picture     rows -> build/bench/bench.png
delivery    the scenarios against a gateway of its own      processes   servers on their core, their CPU time
sessions    session scripts through one process             generator   the load itself
scenarios   what is asked, and what must come back          profiled    a gateway under cProfile
bare        the handler everything is compared with     engine      the engine alone, one core
peers       the engine beside Adobe's two               swap        a 10 MB artifact beside a busy event loop
"""
