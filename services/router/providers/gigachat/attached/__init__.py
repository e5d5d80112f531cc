"""Files of a request for GigaChat: which kinds it takes, and how they get there.

Never: messages, the chat's body.
"""
