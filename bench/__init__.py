"""Benchmarks: each figure is a ratio, measured side by side in one run. Nothing here is a test."""
