"""Text: a program as a NumPy module that a person might have written."""
