"""`jikimi rehearse` and the transcript that ships with it: invented chat of one evening, and what a careful moderator
would say."""
