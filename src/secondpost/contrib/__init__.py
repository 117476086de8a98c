"""Secondpost inside frameworks: each part needs the framework, and the extra that is named like it."""
