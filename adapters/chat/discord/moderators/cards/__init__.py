"""The moderators' cards: onto which an incident goes, how one looks, how it is kept up to date, what its buttons do."""
