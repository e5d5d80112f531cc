"""The senders: a webhook, a mail, a Telegram message.

Each makes one attempt and tells what became of it. Never: when the next one is.
"""
