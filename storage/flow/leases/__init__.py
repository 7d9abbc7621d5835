"""Who works on what: leased, given back, taken over from the dead."""
