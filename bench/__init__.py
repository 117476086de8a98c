"""Secondpost measured against Postfix, in one run on one machine. Only ratios mean anything: see docs/benchmark.md."""
