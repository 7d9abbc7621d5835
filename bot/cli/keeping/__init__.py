"""Commands about what is stored of people: sealed, kept, given out, taken away."""
