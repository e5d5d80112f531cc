"""What administrators see of accounts and the audit log, and how they assign tiers.

Never: tell anything to who is no administrator, or show a secret.
"""
