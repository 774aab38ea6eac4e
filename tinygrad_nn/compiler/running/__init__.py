"""Running: the memory that programs write into, and putting the new state where it belongs."""
