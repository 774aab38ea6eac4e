"""Where a recording stops being finite, and where it loses digits: traces and a lint."""
