"""Typed calls into the native core. Arguments are checked by the packages that call."""
