"""Attachments of a request for GigaChat: which kinds it takes, and how they are uploaded.

Never: messages, the chat's body.
"""
