"""What other bots say in answer to somebody: who they are, what they answer, when they have finished."""
