"""Take the time of what people wait for, each beside a reference of the same run: ``python -m benchmarks``."""
