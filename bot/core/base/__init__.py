"""What every capability stands on: errors, time, waiting."""
