"""Discord: gateway events become messages, actions become REST calls, moderators talk back by buttons and commands.

discord.py lives in this package and nowhere else.
"""
