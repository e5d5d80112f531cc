"""/v1/budgets: what caps a caller and how much of it is used; what administrators set for others and organizations.

It never decides whether a request may pass: admission does. The rows are auth's.
"""
