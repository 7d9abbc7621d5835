"""What is said elsewhere about members: in other communities of the same owner, in public lists."""
