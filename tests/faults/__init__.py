"""What faulty connections to Redis and Target do to answers: `python -m tests.faults` writes docs/faults.md."""
