"""The list of mailers. Each is imported when it is first asked for, so that nobody pays for providers that are not used.

Rule: a new provider is its file, its test, and one line here; other packages add theirs by the entry-point group `secondpost.mailers`.
"""
