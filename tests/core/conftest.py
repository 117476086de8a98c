"""How the properties of the core are tried: as often on a slow machine as on a fast one."""

from hypothesis import settings

settings.register_profile("core", deadline=None)
settings.load_profile("core")
