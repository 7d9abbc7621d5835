"""What communities have set, who changed it, and the policy that follows."""
