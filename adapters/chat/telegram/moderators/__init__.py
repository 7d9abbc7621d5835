"""Commands, cards and menus: what moderators and members press and type."""
