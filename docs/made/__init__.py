"""The parts of pages that are made from the code: one module a page, each with a function `part`."""
