"""Steps that add noise or take something away. A new one adds its line here."""

__all__: list[str] = []
