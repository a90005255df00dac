"""Where a model is wrong: scores of objects, calibration, maps of what it looks at, and the page that shows them."""
