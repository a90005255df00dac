"""Keras' `ImageDataGenerator`, its arguments, attributes and iterators, over the recipe and the loader."""
