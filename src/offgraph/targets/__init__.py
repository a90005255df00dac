"""What moves with an image: one file per type of target."""
