"""The transcript that ships with Jikimi: invented chat of one evening, and what a careful moderator would say."""
