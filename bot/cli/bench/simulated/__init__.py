"""An engine that only takes as long as a real one would have, in a time of its own."""
