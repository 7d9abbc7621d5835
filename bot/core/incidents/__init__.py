"""What was decided and done about a message, and what moderators and its author say to that."""
