"""Steps that change each value by what all values of the image are. A new one adds its line here."""

__all__: list[str] = []
