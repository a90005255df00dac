"""From a saved model and image files to predictions: what the model outputs, one pass over a source, one prediction."""
