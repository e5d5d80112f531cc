"""What the API says of itself: the OpenAPI description, made whole, and the pages that show it.

It reads what routes declare and adds words, errors, scopes and examples. It never answers for a route.
"""
