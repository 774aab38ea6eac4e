"""The checks of the library itself, and faults planted in it to see whether they are found."""
