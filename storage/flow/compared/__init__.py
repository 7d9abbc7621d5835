"""Other ways of doing what `flow` does, for `jikimi bench` alone, to have a measure."""
