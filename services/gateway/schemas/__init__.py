"""What a body of a hot route must look like, checked in one pass; the checked body is the prompt on its whole way.

It knows no route, no service and no rule that needs more than the body.
"""
