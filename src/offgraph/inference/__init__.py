"""From a saved model and image files to predictions: what the model puts out, one pass over a source, one prediction."""
