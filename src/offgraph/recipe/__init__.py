"""Recipes: steps in two layers, their records, their files and their identity."""
