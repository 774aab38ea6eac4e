"""What the command checks: a user's functions, found by name; and how it writes results down."""
