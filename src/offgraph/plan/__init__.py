"""From a recipe's steps to what is run on one image."""
