"""The library: the same core inside an app. `secondpost.open` is where it begins."""
