"""Steps beside the functions of other libraries that they stand for: declared once, measured live, listed in the docs."""
