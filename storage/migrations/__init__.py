"""How an older database becomes today's: one file in versions/ for each step, applied on start."""
