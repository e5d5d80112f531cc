"""What administrators see of people and of the audit log, and which tier they give.

Never: tell anything to who is no administrator, or show a secret.
"""
