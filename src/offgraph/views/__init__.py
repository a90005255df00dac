"""From data to pages: drawing, charts, HTML."""
