"""Steps that change the channels of each pixel together. A new one adds its line here."""

__all__: list[str] = []
