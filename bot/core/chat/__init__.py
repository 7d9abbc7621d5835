"""What is said in a chat network, and the roles that one plays for us."""
